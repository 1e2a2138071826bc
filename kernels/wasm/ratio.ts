// How bad each element of a block is, and what a law's record keeps of it;
// src/records/law-record.ts defines the ratio. A ratio above 1 is a broken element, at most 1 one
// that holds, -1 one that was not judged.
import { bump } from './state';

const JUDGED: usize = 0;
const BROKEN: usize = 4;
/** f64: the worst ratio so far, -1 for none. */
const WORST: usize = 8;

/** The i-th constant of a law, in both lanes. */
// @ts-ignore: decorator
@inline
export function constant(constants: usize, i: usize): v128 {
  return f64x2.splat(load<f64>(constants + (i << 3)));
}

/**
 * Ratios of two elements; `skip` is 0 where they are judged and NaN where an operand is not finite.
 * A ratio that can change no record, because it is below 1 and below the worst so far, may come out
 * as 0: where left is at most `limit` (a little below both) times right, nothing is divided.
 */
// @ts-ignore: decorator
@inline
export function ratioOf(left: v128, right: v128, skip: v128, limit: v128): v128 {
  const zero = f64x2.splat(0);
  const judged = f64x2.eq(skip, zero);
  const small = v128.and(f64x2.le(left, f64x2.mul(limit, right)), f64x2.ge(right, zero));
  if (i64x2.all_true(v128.and(small, judged))) return zero;
  const holds = f64x2.le(left, right);
  const ratio = v128.andnot(f64x2.div(left, right), f64x2.le(left, zero));
  const held = v128.and(ratio, f64x2.eq(ratio, ratio));
  const broken = v128.bitselect(ratio, f64x2.splat(Infinity), f64x2.ge(ratio, f64x2.splat(1)));
  return v128.bitselect(v128.bitselect(held, broken, holds), f64x2.splat(-1), judged);
}

/**
 * Math.max(0, x) where the sign of a zero does not matter: quicker than f64x2.max, NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function atLeastZero(x: v128): v128 {
  return f64x2.pmax(x, f64x2.splat(0));
}

/**
 * Marks elements of a block that have an operand that is not finite: adds 0 · x to `skip`, once an
 * operand.
 */
export function markNonFinite(column: usize, count: u32, skip: usize, isFirst: bool): void {
  for (let i: u32 = 0; i < count; i += 2, column += 16, skip += 16) {
    const marked = f64x2.mul(v128.load(column), f64x2.splat(0));
    v128.store(skip, isFirst ? marked : f64x2.add(v128.load(skip), marked));
  }
}

/**
 * Adds the ratios of `count` elements to a law's record of 16 bytes. Returns the element of this
 * block that became the worst so far, or -1.
 */
export function tally(ratios: usize, count: u32, record: usize): i32 {
  let judged = i64x2.splat(0);
  let broken = judged;
  let worst = f64x2.splat(-1);
  let i: u32 = 0;
  for (; i + 2 <= count; i += 2) {
    const ratio = v128.load(ratios + (usize(i) << 3));
    judged = i64x2.sub(judged, f64x2.ge(ratio, f64x2.splat(0)));
    broken = i64x2.sub(broken, f64x2.gt(ratio, f64x2.splat(1)));
    worst = f64x2.pmax(worst, ratio);
  }
  bump(record + JUDGED, u32(i64x2.extract_lane(judged, 0) + i64x2.extract_lane(judged, 1)));
  bump(record + BROKEN, u32(i64x2.extract_lane(broken, 0) + i64x2.extract_lane(broken, 1)));
  let largest = max(f64x2.extract_lane(worst, 0), f64x2.extract_lane(worst, 1));
  if (i < count) {
    const ratio = load<f64>(ratios + (usize(i) << 3));
    if (ratio >= 0) bump(record + JUDGED, 1);
    if (ratio > 1) bump(record + BROKEN, 1);
    largest = max(largest, ratio);
  }
  if (largest <= load<f64>(record, WORST)) return -1;
  store<f64>(record, largest, WORST);
  let index = 0;
  while (load<f64>(ratios + (usize(index) << 3)) != largest) index++;
  return index;
}
