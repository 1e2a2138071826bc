// state-progress; src/laws/state-progress.ts defines it, src/engines/judge.ts what is counted.
import { LEAST, judgedBits, takeFinite, takeLine } from './lines';

const ALIVE: f64 = 1e-30;
// 2^-120: lr·m below it may be flushed to 0.
const NORMAL: f64 = reinterpret<f64>(u64(1023 - 120) << 52);

/** 64 times the distance from |x| to the next larger float32. */
// @ts-ignore: decorator
@inline
function spacings(x: v128): v128 {
  const exponents = v128.and(i32x4.shr_u(f32x4.demote_f64x2_zero(x), 23), i32x4.splat(255));
  const wide = i64x2.extend_low_i32x4_u(exponents);
  const normal = i64x2.shl(i64x2.add(wide, i64x2.splat(1023 - 144)), 52);
  return v128.bitselect(f64x2.splat(8.96831017167883e-44), normal, i64x2.eq(wide, i64x2.splat(0)));
}

/** Which of two elements must move, by constants subject, inherited, share, rate, eps. */
// @ts-ignore: decorator
@inline
function mustMove(c: usize, wBase: v128, mBase: v128, vBase: v128, mHead: v128, vHead: v128): v128 {
  const subject = load<f64>(c);
  if (subject == 0) {
    const push = f64x2.mul(f64x2.splat(load<f64>(c, 24)), f64x2.abs(mHead));
    const step = f64x2.div(push, f64x2.add(f64x2.sqrt(vHead), f64x2.splat(load<f64>(c, 32))));
    const isNormal = f64x2.gt(push, f64x2.splat(NORMAL));
    return v128.and(isNormal, f64x2.gt(step, spacings(wBase)));
  }
  const alive = f64x2.gt(vBase, f64x2.splat(ALIVE));
  const square = f64x2.mul(mBase, mBase);
  if (subject == 2) {
    const moves = f64x2.gt(
      f64x2.abs(f64x2.sub(square, vBase)),
      f64x2.mul(f64x2.splat(1e-3), vBase),
    );
    return v128.and(alive, moves);
  }
  const share = load<f64>(c, 16);
  const gained = f64x2.sub(vHead, f64x2.mul(f64x2.splat(load<f64>(c, 8)), vBase));
  const rest = f64x2.abs(f64x2.sub(gained, f64x2.mul(f64x2.splat(share), square)));
  const rests = f64x2.le(rest, f64x2.mul(f64x2.splat(1e-2 * share), vHead));
  return v128.and(v128.andnot(alive, rests), f64x2.gt(f64x2.abs(mBase), f64x2.splat(ALIVE)));
}

/** Bits of the 16 words at `base` that equal those at `head`. */
// @ts-ignore: decorator
@inline
function equalWords(base: usize, head: usize): i32 {
  return (
    i32x4.bitmask(i32x4.eq(v128.load(base), v128.load(head))) |
    (i32x4.bitmask(i32x4.eq(v128.load(base, 16), v128.load(head, 16))) << 4) |
    (i32x4.bitmask(i32x4.eq(v128.load(base, 32), v128.load(head, 32))) << 8) |
    (i32x4.bitmask(i32x4.eq(v128.load(base, 48), v128.load(head, 48))) << 12)
  );
}

/** Do all 16 words have the same bits but for the sign? */
// @ts-ignore: decorator
@inline
function isUniform(words: usize): bool {
  const first = i32x4.splat(load<i32>(words));
  const any = v128.or(
    v128.or(v128.xor(v128.load(words), first), v128.xor(v128.load(words, 16), first)),
    v128.or(v128.xor(v128.load(words, 32), first), v128.xor(v128.load(words, 48), first)),
  );
  return !v128.any_true(v128.and(any, i32x4.splat(0x7fffffff)));
}

/**
 * Whole lines of a block from element `first` of the chunk; `base` and `head` are the subject's
 * words.
 */
export function stateProgress(
  count: u32,
  c: usize,
  skip: usize,
  record: usize,
  first: u32,
  base: usize,
  head: usize,
  wA: usize,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): void {
  for (let start: u32 = 0; start + 16 <= count; start += 16) {
    const finite = judgedBits(skip, start);
    let moving = 0;
    for (let i: u32 = 0; i < 16; i += 2) {
      const at = usize(start + i) << 3;
      const moves = mustMove(
        c,
        v128.load(wA + at),
        v128.load(mA + at),
        v128.load(vA + at),
        v128.load(mB + at),
        v128.load(vB + at),
      );
      moving |= i64x2.bitmask(moves) << i;
    }
    moving &= finite;
    takeFinite(record, finite);
    const line = usize(start) << 2;
    if (popcnt(moving) < LEAST || isUniform(head + line)) continue;
    const moved = (moving & ~equalWords(base + line, head + line)) != 0;
    takeLine(record, first + start, finite, moved);
  }
}
