// no-blank-lines; src/laws/no-blank-lines.ts defines it.
import { LEAST, judgedBits, takeFinite, takeLine } from './lines';

const ALIVE: f64 = 1e-30;

/** Which of two elements held numbers, by constants subject, first, second. */
// @ts-ignore: decorator
@inline
function heldNumber(c: usize, at: usize, wA: usize, mA: usize, vA: usize): v128 {
  const subject = load<f64>(c);
  const alive = f64x2.splat(ALIVE);
  if (subject == 1)
    return f64x2.gt(f64x2.mul(f64x2.splat(load<f64>(c, 8)), f64x2.abs(v128.load(mA + at))), alive);
  if (subject == 2)
    return f64x2.gt(f64x2.mul(f64x2.splat(load<f64>(c, 16)), v128.load(vA + at)), alive);
  // NaN, which is no number that was held, is above nothing.
  return f64x2.gt(f64x2.abs(v128.load(wA + at)), f64x2.splat(0));
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
  for (let start: u32 = 0; start + 16 <= count; start += 16) {
    const finite = judgedBits(skip, start);
    let held = 0;
    for (let i: u32 = 0; i < 16; i += 2) {
      held |= i64x2.bitmask(heldNumber(c, usize(start + i) << 3, wA, mA, vA)) << i;
    }
    takeFinite(record, finite);
    if (popcnt(held & finite) < LEAST) continue;
    const line = head + (usize(start) << 2);
    const any = v128.or(
      v128.or(v128.load(line), v128.load(line, 16)),
      v128.or(v128.load(line, 32), v128.load(line, 48)),
    );
    takeLine(record, first + start, finite, v128.any_true(any));
  }
}
