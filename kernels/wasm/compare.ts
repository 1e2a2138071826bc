// The copy pass: equal bits, or a float32 rounded to 16 bits. Results go to a record of u32: +0
// different, +4 first difference (i32, -1 for none; the host sets it), +8 zeros of the second
// tensor.
import { bump } from './state';

const DIFFERENT: usize = 0;
const FIRST: usize = 4;
const ZEROS: usize = 8;

// @ts-ignore: decorator
@inline
function takeDifferent(record: usize, index: u32, bits: i32): void {
  bump(record + DIFFERENT, popcnt(bits));
  if (load<i32>(record, FIRST) < 0) store<i32>(record, index + ctz(bits), FIRST);
}

/** Elements of T; an element is zero where no bit of the 16-byte pattern at `mask` is set in it. */
// @ts-ignore: decorator
@inline
function compare<T extends number>(
  left: usize,
  right: usize,
  count: u32,
  mask: usize,
  record: usize,
): void {
  const perVector = u32(16 / sizeof<T>());
  const zeroMask = v128.load(mask);
  let zeros: u32 = 0;
  let at: u32 = 0;
  for (; at < count; at += perVector, left += 16, right += 16) {
    // A last, partial vector reads past the end; its elements there are masked out.
    const valid = count - at >= perVector ? -1 : (1 << (count - at)) - 1;
    const found = v128.load(right);
    const different = v128.bitmask<T>(v128.ne<T>(v128.load(left), found)) & valid;
    if (different) takeDifferent(record, at, different);
    zeros += popcnt(v128.bitmask<T>(v128.eq<T>(v128.and(found, zeroMask), i32x4.splat(0))) & valid);
  }
  bump(record + ZEROS, zeros);
}

export function compare8(left: usize, right: usize, count: u32, mask: usize, record: usize): void {
  compare<i8>(left, right, count, mask, record);
}

export function compare16(left: usize, right: usize, count: u32, mask: usize, record: usize): void {
  compare<i16>(left, right, count, mask, record);
}

export function compare32(left: usize, right: usize, count: u32, mask: usize, record: usize): void {
  compare<i32>(left, right, count, mask, record);
}

export function compare64(left: usize, right: usize, count: u32, mask: usize, record: usize): void {
  compare<i64>(left, right, count, mask, record);
}

export function compare128(
  left: usize,
  right: usize,
  count: u32,
  mask: usize,
  record: usize,
): void {
  const zeroMask = v128.load(mask);
  for (let i: u32 = 0; i < count; i++, left += 16, right += 16) {
    const found = v128.load(right);
    if (v128.any_true(v128.xor(v128.load(left), found))) takeDifferent(record, i, 1);
    if (!v128.any_true(v128.and(found, zeroMask))) bump(record + ZEROS, 1);
  }
}

/**
 * bf16 bits of four float32, to nearest even; NaN keeps sign and high payload and becomes quiet.
 */
// @ts-ignore: decorator
@inline
function roundedBf16(bits: v128): v128 {
  const upper = i32x4.shr_u(bits, 16);
  const even = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(bits, i32x4.add(even, i32x4.splat(0x7fff))), 16);
  const isNaN = i32x4.gt_s(v128.and(bits, i32x4.splat(0x7fffffff)), i32x4.splat(0x7f800000));
  return v128.bitselect(v128.or(upper, i32x4.splat(0x40)), rounded, isNaN);
}

/**
 * f16 bits of four float32, to nearest even; src/engines/rounded-bits.ts says what becomes of NaN.
 */
// @ts-ignore: decorator
@inline
function roundedF16(bits: v128): v128 {
  const size = v128.and(bits, i32x4.splat(0x7fffffff));
  const rebiased = i32x4.sub(size, i32x4.splat(0x38000000));
  const even = v128.and(i32x4.shr_u(rebiased, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(rebiased, i32x4.add(even, i32x4.splat(0xfff))), 13);
  // Beside 0.5 a float32 counts units of 2^-24, as a subnormal f16 does: the addition rounds to
  // them.
  const counted = i32x4.sub(f32x4.add(size, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const payload = i32x4.shr_u(v128.and(size, i32x4.splat(0x7fffff)), 13);
  const nan = v128.or(i32x4.splat(0x7c00), i32x4.max_s(payload, i32x4.splat(1)));
  let rounded = v128.bitselect(counted, normal, i32x4.lt_s(size, i32x4.splat(0x38800000)));
  rounded = v128.bitselect(i32x4.splat(0x7c00), rounded, i32x4.ge_s(size, i32x4.splat(0x477ff000)));
  rounded = v128.bitselect(nan, rounded, i32x4.gt_s(size, i32x4.splat(0x7f800000)));
  return v128.or(rounded, v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000)));
}

// @ts-ignore: decorator
@inline
function compareRounded(left: usize, right: usize, count: u32, record: usize, isBrain: bool): void {
  let zeros: u32 = 0;
  for (let at: u32 = 0; at < count; at += 8, left += 32, right += 16) {
    const valid = count - at >= 8 ? 255 : (1 << (count - at)) - 1;
    const found = v128.load(right);
    const low = v128.load(left);
    const high = v128.load(left, 16);
    const expected = isBrain
      ? i16x8.narrow_i32x4_u(roundedBf16(low), roundedBf16(high))
      : i16x8.narrow_i32x4_u(roundedF16(low), roundedF16(high));
    const different = i16x8.bitmask(i16x8.ne(expected, found)) & valid;
    if (different) takeDifferent(record, at, different);
    zeros += popcnt(
      i16x8.bitmask(i16x8.eq(v128.and(found, i16x8.splat(0x7fff)), i16x8.splat(0))) & valid,
    );
  }
  bump(record + ZEROS, zeros);
}

export function compareBfloat16(left: usize, right: usize, count: u32, record: usize): void {
  compareRounded(left, right, count, record, true);
}

export function compareFloat16(left: usize, right: usize, count: u32, record: usize): void {
  compareRounded(left, right, count, record, false);
}
