// What every law about lines of 16 float32 counts; src/engines/judge.ts defines it.
import { bump } from './state';

// The record of one law in one chunk: u32 judged elements, broken lines, elements that are not
// finite; i32 first judged and first broken line's element (the host sets both to -1).
const JUDGED: usize = 0;
const BROKEN: usize = 4;
const NOT_FINITE: usize = 8;
const FIRST_JUDGED: usize = 12;
const FIRST_BROKEN: usize = 16;

/** Elements of a line that take part before the line is judged. */
export const LEAST: i32 = 12;

/** Counts the elements of a line that are not finite; `finite` has a bit for each other one. */
// @ts-ignore: decorator
@inline
export function takeFinite(record: usize, finite: i32): void {
  bump(record + NOT_FINITE, 16 - popcnt(finite));
}

/** Counts a judged line that starts at element `index` of the chunk. */
// @ts-ignore: decorator
@inline
export function takeLine(record: usize, index: u32, finite: i32, holds: bool): void {
  bump(record + JUDGED, popcnt(finite));
  if (load<i32>(record, FIRST_JUDGED) < 0) store<i32>(record, index, FIRST_JUDGED);
  if (holds) return;
  bump(record + BROKEN, 1);
  if (load<i32>(record, FIRST_BROKEN) < 0) store<i32>(record, index, FIRST_BROKEN);
}

/** Bits of the 16 elements from `index` that are judged by column `skip`: all where it is 0. */
// @ts-ignore: decorator
@inline
export function judgedBits(skip: usize, index: u32): i32 {
  if (skip == 0) return 0xffff;
  const column = skip + (usize(index) << 3);
  let bits = 0;
  for (let i: u32 = 0; i < 16; i += 2) {
    bits |= i64x2.bitmask(f64x2.eq(v128.load(column + (usize(i) << 3)), f64x2.splat(0))) << i;
  }
  return bits;
}

/** All 16 elements of a line are finite and counted. */
export const WHOLE: i32 = 0xffff;

/** Bits of 16 float32 from four masks of four. */
// @ts-ignore: decorator
@inline
export function lineBits(a: v128, b: v128, c: v128, d: v128): i32 {
  // Two packings keep the order of lanes: one bit an element remains.
  const low = i16x8.narrow_i32x4_s(a, b);
  const high = i16x8.narrow_i32x4_s(c, d);
  return i8x16.bitmask(i8x16.narrow_i16x8_s(low, high));
}
