// no-blank-lines; src/laws/no-blank-lines.ts defines it.
import { LEAST, WHOLE, judgedBits, takeFinite, takeLine } from './lines';
import { promoted } from './ratio';

const ALIVE: f64 = 1e-30;

/**
 * Which of two elements held numbers, by constants subject, first, second; `x` is the subject's
 * value in the base.
 */
// @ts-ignore: decorator
@inline
function heldNumber(c: usize, x: v128): v128 {
  const subject = load<f64>(c);
  const alive = f64x2.splat(ALIVE);
  if (subject == 1) return f64x2.gt(f64x2.mul(f64x2.splat(load<f64>(c, 8)), f64x2.abs(x)), alive);
  if (subject == 2) return f64x2.gt(f64x2.mul(f64x2.splat(load<f64>(c, 16)), x), alive);
  // NaN, which is no number that was held, is above nothing.
  return f64x2.gt(f64x2.abs(x), f64x2.splat(0));
}

// @ts-ignore: decorator
@inline
function subjectOf(c: usize, w: usize, m: usize, v: usize): usize {
  const subject = load<f64>(c);
  return subject == 1 ? m : subject == 2 ? v : w;
}

// @ts-ignore: decorator
@inline
function hasNumbers(line: usize): bool {
  const any = v128.or(
    v128.or(v128.load(line), v128.load(line, 16)),
    v128.or(v128.load(line, 32), v128.load(line, 48)),
  );
  return v128.any_true(any);
}

/**
 * Whole lines of a block from element `first` of the chunk; `head` are the subject's words there.
 */
export function noBlankLines(
  count: u32,
  c: usize,
  skip: usize,
  record: usize,
  first: u32,
  head: usize,
  wA: usize,
  mA: usize,
  vA: usize,
): void {
  const base = subjectOf(c, wA, mA, vA);
  for (let start: u32 = 0; start + 16 <= count; start += 16) {
    const finite = judgedBits(skip, start);
    let held = 0;
    for (let i: u32 = 0; i < 16; i += 2) {
      held |= i64x2.bitmask(heldNumber(c, v128.load(base + (usize(start + i) << 3)))) << i;
    }
    takeFinite(record, finite);
    if (popcnt(held & finite) < LEAST) continue;
    takeLine(record, first + start, finite, hasNumbers(head + (usize(start) << 2)));
  }
}

/** Size above which a base's float32 held a number for certain. */
function leastHeld(c: usize): f32 {
  const subject = load<f64>(c);
  if (subject == 0) return 0;
  const factor = subject == 1 ? load<f64>(c, 8) : load<f64>(c, 16);
  const least = (ALIVE / factor) * (1 + 1e-6);
  // A NaN, or a size below all normal numbers, is above nothing.
  return least >= 1e-37 ? f32(least) : f32(NaN);
}

/**
 * The same where all words are finite: `base` and `head` are the subject's. A line whose words all
 * held numbers is decided in float32.
 */
export function noBlankLinesFloat32(
  count: u32,
  c: usize,
  record: usize,
  first: u32,
  base: usize,
  head: usize,
): void {
  const least = f32x4.splat(leastHeld(c));
  const isSigned = load<f64>(c) != 2;
  for (let start: u32 = 0; start + 16 <= count; start += 16, base += 64, head += 64) {
    let a = v128.load(base);
    let b = v128.load(base, 16);
    let d = v128.load(base, 32);
    let e = v128.load(base, 48);
    if (isSigned) {
      a = f32x4.abs(a);
      b = f32x4.abs(b);
      d = f32x4.abs(d);
      e = f32x4.abs(e);
    }
    const all = v128.and(
      v128.and(f32x4.gt(a, least), f32x4.gt(b, least)),
      v128.and(f32x4.gt(d, least), f32x4.gt(e, least)),
    );
    if (!i32x4.all_true(all)) {
      let held = 0;
      for (let i: u32 = 0; i < 16; i += 2) {
        held |= i64x2.bitmask(heldNumber(c, promoted(base + (usize(i) << 2)))) << i;
      }
      if (popcnt(held) < LEAST) continue;
    }
    takeLine(record, first + start, WHOLE, hasNumbers(head));
  }
}
