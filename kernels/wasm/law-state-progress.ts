// state-progress; src/laws/state-progress.ts defines it, src/engines/judge.ts what is counted.
import { LEAST, WHOLE, judgedBits, lineBits, takeFinite, takeLine } from './lines';
import { promoted, sizeOf } from './ratio';

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
  return lineBits(
    i32x4.eq(v128.load(base), v128.load(head)),
    i32x4.eq(v128.load(base, 16), v128.load(head, 16)),
    i32x4.eq(v128.load(base, 32), v128.load(head, 32)),
    i32x4.eq(v128.load(base, 48), v128.load(head, 48)),
  );
}

/** Do all 16 words have the same bits but for the sign? */
// @ts-ignore: decorator
@inline
function isUniform(words: usize): bool {
  if (((load<i32>(words) ^ load<i32>(words, 4)) & 0x7fffffff) != 0) return false;
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

/** Exactly which of the 16 elements from these words must move. */
function movingBits(c: usize, wA: usize, mA: usize, vA: usize, mB: usize, vB: usize): i32 {
  let moving = 0;
  for (let i: u32 = 0; i < 16; i += 2) {
    const at = usize(i) << 2;
    const moves = mustMove(
      c,
      promoted(wA + at),
      promoted(mA + at),
      promoted(vA + at),
      promoted(mB + at),
      promoted(vB + at),
    );
    moving |= i64x2.bitmask(moves) << i;
  }
  return moving;
}

// Constants lie in memory, as in natural-log.ts. ROUNDING is more than a few roundings of float32.
const ROUNDING = memory.data<f32>([1e-6, 1e-6, 1e-6, 1e-6], 16);
const LEAST_PUSH = memory.data<f32>([1e-15, 1e-15, 1e-15, 1e-15], 16);
// 2^-17.
const SPACING = memory.data<f32>(
  [7.62939453125e-6, 7.62939453125e-6, 7.62939453125e-6, 7.62939453125e-6],
  16,
);
const LEAST_SPACING = memory.data<f32>([1e-18, 1e-18, 1e-18, 1e-18], 16);
const LEAST_ALIVE = memory.data<f32>([1.0001e-30, 1.0001e-30, 1.0001e-30, 1.0001e-30], 16);
const SECOND_SHARE = memory.data<f32>([1.001e-3, 1.001e-3, 1.001e-3, 1.001e-3], 16);
const ZERO = memory.data<f32>([0, 0, 0, 0], 16);

// Which of four weights must move for certain. With (√v + ε)² ≤ 2v + 2ε² and 64 distances to the
// next float32 at most |w| · 2^-17:  push² > w² · 2^-34 · (2v + 2ε²).
// @ts-ignore: decorator
@inline
function weightsMove(rate: v128, eps2: v128, w: v128, m: v128, v: v128): v128 {
  const push = f32x4.mul(rate, sizeOf(m));
  // Not so small that its square, on the way to the product, underflows.
  const distance = f32x4.pmax(
    f32x4.mul(sizeOf(w), v128.load(SPACING)),
    v128.load(LEAST_SPACING),
  );
  const divisor = f32x4.add(f32x4.add(v, v), eps2);
  const least = f32x4.mul(f32x4.mul(distance, distance), divisor);
  const isLarge = f32x4.ge(push, v128.load(LEAST_PUSH));
  const isProper = f32x4.ge(v, v128.load(ZERO));
  return v128.and(v128.and(isLarge, isProper), f32x4.gt(f32x4.mul(push, push), least));
}

// @ts-ignore: decorator
@inline
function isAlive(x: v128): v128 {
  return f32x4.gt(x, v128.load(LEAST_ALIVE));
}

// @ts-ignore: decorator
@inline
function firstMoves(
  inherited: v128,
  share: v128,
  resting: v128,
  m: v128,
  v: v128,
  vHead: v128,
): v128 {
  const kept = f32x4.mul(inherited, v);
  const own = f32x4.mul(share, f32x4.mul(m, m));
  const rest = sizeOf(f32x4.sub(f32x4.sub(vHead, kept), own));
  const sizes = f32x4.add(f32x4.add(vHead, kept), own);
  const least = f32x4.mul(resting, vHead);
  const moves = f32x4.gt(rest, f32x4.add(least, f32x4.mul(v128.load(ROUNDING), sizes)));
  return v128.and(v128.and(isAlive(v), isAlive(vHead)), v128.and(isAlive(sizeOf(m)), moves));
}

// @ts-ignore: decorator
@inline
function secondMoves(m: v128, v: v128): v128 {
  const square = f32x4.mul(m, m);
  const rest = sizeOf(f32x4.sub(square, v));
  const rounding = f32x4.mul(v128.load(ROUNDING), f32x4.add(square, v));
  const least = f32x4.add(f32x4.mul(v128.load(SECOND_SHARE), v), rounding);
  return v128.and(isAlive(v), f32x4.gt(rest, least));
}

/** The line's verdict, where `proven` are elements that must move for certain. */
// @ts-ignore: decorator
@inline
function takeProven(
  c: usize,
  proven: i32,
  record: usize,
  index: u32,
  base: usize,
  head: usize,
  wA: usize,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): void {
  if (isUniform(head)) return;
  const equal = equalWords(base, head);
  if (popcnt(proven) >= LEAST && (proven & ~equal) != 0) {
    takeLine(record, index, WHOLE, true);
    return;
  }
  const moving = movingBits(c, wA, mA, vA, mB, vB);
  if (popcnt(moving) >= LEAST) takeLine(record, index, WHOLE, (moving & ~equal) != 0);
}

/**
 * The same where all words are finite: `base` and `head` are the subject's. Elements that must move
 * for certain are found in float32; a line that they do not decide is judged exactly.
 */
export function stateProgressFloat32(
  count: u32,
  c: usize,
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
  const subject = load<f64>(c);
  // Where the learning rate may have been 0 no weight must move.
  if (subject == 0 && !(load<f64>(c, 24) > 0)) return;
  const share = f32x4.splat(f32(load<f64>(c, 16)));
  const resting = f32x4.splat(f32(load<f64>(c, 16) * 1.0001e-2));
  const inherited = f32x4.splat(f32(load<f64>(c, 8)));
  const rate = f32x4.splat(f32(load<f64>(c, 24) * (1 - 1e-5)));
  const eps = load<f64>(c, 32);
  const eps2 = f32x4.splat(f32(2 * eps * eps * (1 + 1e-6) + 1e-37));
  for (let start: u32 = 0; start + 16 <= count; start += 16) {
    const at = usize(start) << 2;
    let a: v128;
    let b: v128;
    let d: v128;
    let e: v128;
    if (subject == 0) {
      const w = wA + at;
      const m = mB + at;
      const v = vB + at;
      a = weightsMove(rate, eps2, v128.load(w), v128.load(m), v128.load(v));
      b = weightsMove(rate, eps2, v128.load(w, 16), v128.load(m, 16), v128.load(v, 16));
      d = weightsMove(rate, eps2, v128.load(w, 32), v128.load(m, 32), v128.load(v, 32));
      e = weightsMove(rate, eps2, v128.load(w, 48), v128.load(m, 48), v128.load(v, 48));
    } else if (subject == 1) {
      const m = mA + at;
      const v = vA + at;
      const h = vB + at;
      a = firstMoves(inherited, share, resting, v128.load(m), v128.load(v), v128.load(h));
      b = firstMoves(inherited, share, resting, v128.load(m, 16), v128.load(v, 16), v128.load(h, 16));
      d = firstMoves(inherited, share, resting, v128.load(m, 32), v128.load(v, 32), v128.load(h, 32));
      e = firstMoves(inherited, share, resting, v128.load(m, 48), v128.load(v, 48), v128.load(h, 48));
    } else {
      const m = mA + at;
      const v = vA + at;
      a = secondMoves(v128.load(m), v128.load(v));
      b = secondMoves(v128.load(m, 16), v128.load(v, 16));
      d = secondMoves(v128.load(m, 32), v128.load(v, 32));
      e = secondMoves(v128.load(m, 48), v128.load(v, 48));
    }
    const proven = lineBits(a, b, d, e);
    const index = first + start;
    takeProven(
      c,
      proven,
      record,
      index,
      base + at,
      head + at,
      wA + at,
      mA + at,
      vA + at,
      mB + at,
      vB + at,
    );
  }
}

/** Are all words finite? */
export function isFiniteFloat32(words: usize, count: u32): bool {
  let largest = i32x4.splat(0);
  for (let i: u32 = 0; i < count; i += 4, words += 16) {
    largest = i32x4.max_s(largest, v128.and(v128.load(words), i32x4.splat(0x7fffffff)));
  }
  return !v128.any_true(i32x4.ge_s(largest, i32x4.splat(0x7f800000)));
}
