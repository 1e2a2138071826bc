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

/** i32 beside that record: the element that became the worst in this call, or -1. */
const WORST_INDEX: usize = 16;

/** Two float32 as float64. */
// @ts-ignore: decorator
@inline
export function promoted(address: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(address));
}

/** 0 where x is finite, else NaN. */
// @ts-ignore: decorator
@inline
export function skipOf(x: v128): v128 {
  return f64x2.mul(x, f64x2.splat(0));
}

/** Prepares the record for one call. */
// @ts-ignore: decorator
@inline
export function beginJudging(record: usize, count: u32): void {
  bump(record + JUDGED, count);
  store<i32>(record, -1, WORST_INDEX);
}

/** The worst ratio so far, -1 for none. */
// @ts-ignore: decorator
@inline
export function worstOf(record: usize): f64 {
  return load<f64>(record, WORST);
}

/**
 * A ratio up to here, even when it was rounded, changes no record whose worst is this one's. Too
 * small a worst gives 0: its neighbours are not 2^-50 apart.
 */
export function limitOf(record: usize): f64 {
  const limit = min(worstOf(record), 1) * (1 - 1 / 1125899906842624.0);
  return limit > 1e-290 ? limit : 0;
}

/** Takes one ratio of element `index`, which was counted as judged. */
function takeRatio(record: usize, ratio: f64, index: u32): void {
  if (ratio < 0) bump(record + JUDGED, u32(-1));
  if (ratio > 1) bump(record + BROKEN, 1);
  if (!(ratio > worstOf(record))) return;
  store<f64>(record, ratio, WORST);
  store<i32>(record, index, WORST_INDEX);
}

/** Takes the ratios of elements `index` and the next. Says whether the worst may have changed. */
// @ts-ignore: decorator
@inline
export function takeRatios(record: usize, ratios: v128, index: u32): bool {
  if (!v128.any_true(ratios) && worstOf(record) >= 0) return false;
  takeRatio(record, f64x2.extract_lane(ratios, 0), index);
  takeRatio(record, f64x2.extract_lane(ratios, 1), index + 1);
  return true;
}

/**
 * Screening in float32, four elements at a time: what it passes is finite and so far inside the
 * bound that neither the count of broken elements nor the worst ratio can change; all else is
 * judged exactly. Sums and products of few float32 are off by less than 1e-5 of themselves, and
 * what could leave the range of a float32 is not passed.
 */
export const SPARED: f64 = 1 - 1e-5;

/** A factor up to here leaves what it multiplies in the range of normal float32. */
export const LARGEST_FACTOR: f64 = 1e6;

/** Products of float32 from here on have not lost digits to underflow. */
export const SMALLEST: f32 = 1e-30;

// Constants lie in memory, as in natural-log.ts: loading one costs less than making it anew.
const LEAST = memory.data<f32>([1e-30, 1e-30, 1e-30, 1e-30], 16);
const MOST = memory.data<f32>([f32.MAX_VALUE, f32.MAX_VALUE, f32.MAX_VALUE, f32.MAX_VALUE], 16);
const SIZE = memory.data<i32>([0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff], 16);
// 2^-21: more than the rounding of a difference of products, for each unit of their sizes.
const ROUNDING = memory.data<f32>(
  [4.76837158203125e-7, 4.76837158203125e-7, 4.76837158203125e-7, 4.76837158203125e-7],
  16,
);

// @ts-ignore: decorator
@inline
export function leastFloat(): v128 {
  return v128.load(LEAST);
}

// @ts-ignore: decorator
@inline
export function largestFloat(): v128 {
  return v128.load(MOST);
}

// @ts-ignore: decorator
@inline
export function sizeOf(x: v128): v128 {
  return v128.and(x, v128.load(SIZE));
}

/** What rounding may have taken from a difference of these two. */
// @ts-ignore: decorator
@inline
export function roundingOf(a: v128, b: v128): v128 {
  return f32x4.mul(v128.load(ROUNDING), f32x4.add(sizeOf(a), sizeOf(b)));
}

/** Are all bits of both masks set? */
// @ts-ignore: decorator
@inline
export function bothPass(a: v128, b: v128): bool {
  return i32x4.bitmask(v128.and(a, b)) == 15;
}

/** Which of four products `smaller` are at most `larger`, both in the range of a float32. */
// @ts-ignore: decorator
@inline
export function isWithin(smaller: v128, larger: v128): v128 {
  const inRange = v128.and(
    f32x4.ge(larger, v128.load(LEAST)),
    f32x4.le(larger, v128.load(MOST)),
  );
  return v128.and(f32x4.le(smaller, larger), inRange);
}
