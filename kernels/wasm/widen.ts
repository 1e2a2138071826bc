// Streams as float64, exactly: what laws are written in. Each returns whether every element is
// finite.
import { f16Bits } from './half';

const INFINITE: i32 = 0x7f800000;
const SIZE: i32 = 0x7fffffff;

// @ts-ignore: decorator
@inline
function storeWide(bits: v128, out: usize): void {
  v128.store(out, f64x2.promote_low_f32x4(bits));
  v128.store(out, f64x2.promote_low_f32x4(v128.shuffle<i64>(bits, bits, 1, 1)), 16);
}

// @ts-ignore: decorator
@inline
function isFiniteSize(largest: v128): bool {
  return !v128.any_true(i32x4.ge_s(largest, i32x4.splat(INFINITE)));
}

// Whole vectors only: the caller leaves room after `out`, and what lies past the end of a stream is
// finite or not without harm, because a block that seems not finite is only looked at more closely.

export function widenFloat32(data: usize, count: u32, out: usize): bool {
  let largest = i32x4.splat(0);
  for (let i: u32 = 0; i < count; i += 4, data += 16, out += 32) {
    const bits = v128.load(data);
    largest = i32x4.max_s(largest, v128.and(bits, i32x4.splat(SIZE)));
    storeWide(bits, out);
  }
  return isFiniteSize(largest);
}

export function widenBfloat16(data: usize, count: u32, out: usize): bool {
  let largest = i32x4.splat(0);
  for (let i: u32 = 0; i < count; i += 4, data += 8, out += 32) {
    const bits = i32x4.shl(i32x4.extend_low_i16x8_u(v128.load64_zero(data)), 16);
    largest = i32x4.max_s(largest, v128.and(bits, i32x4.splat(SIZE)));
    storeWide(bits, out);
  }
  return isFiniteSize(largest);
}

export function widenFloat16(data: usize, count: u32, out: usize): bool {
  let largest = i32x4.splat(0);
  for (let i: u32 = 0; i < count; i += 4, data += 8, out += 32) {
    const bits = f16Bits(i32x4.extend_low_i16x8_u(v128.load64_zero(data)));
    largest = i32x4.max_s(largest, v128.and(bits, i32x4.splat(SIZE)));
    storeWide(bits, out);
  }
  return isFiniteSize(largest);
}

export function widenFloat64(data: usize, count: u32, out: usize): bool {
  let finite = i64x2.splat(-1);
  for (let i: u32 = 0; i < count; i += 2, data += 16, out += 16) {
    const x = v128.load(data);
    finite = v128.and(finite, f64x2.le(f64x2.abs(x), f64x2.splat(f64.MAX_VALUE)));
    v128.store(out, x);
  }
  return i64x2.all_true(finite);
}
