// 16-bit floats and integers as float32 bits, without a subnormal ever being an operand.

/** Kinds of 16-bit types. */
export const BF16: u32 = 0;
export const F16: u32 = 1;
export const I16: u32 = 2;
export const U16: u32 = 3;

/** float32 bits of four f16 codes, one in each 32-bit lane; infinities and NaN included. */
// @ts-ignore: decorator
@inline
export function f16Bits(codes: v128): v128 {
  const size = v128.and(codes, i32x4.splat(0x7fff));
  const rebias = i32x4.splat(0x38000000);
  const special = v128.and(rebias, i32x4.ge_s(size, i32x4.splat(0x7c00)));
  const normal = i32x4.add(i32x4.add(i32x4.shl(size, 13), rebias), special);
  // A subnormal is its mantissa, a whole number, times 2^-24.
  const counted = f32x4.convert_i32x4_s(size);
  const scaled = v128.and(
    i32x4.sub(counted, i32x4.splat(24 << 23)),
    i32x4.ne(size, i32x4.splat(0)),
  );
  const bits = v128.bitselect(scaled, normal, i32x4.lt_s(size, i32x4.splat(0x400)));
  return v128.or(bits, i32x4.shl(v128.and(codes, i32x4.splat(0x8000)), 16));
}

/** float32 bits of one f16 code. */
export function f16BitsOf(code: u32): u32 {
  return u32(i32x4.extract_lane(f16Bits(i32x4.splat(code)), 0));
}

/** float32 bits of elements 0 to 3 (`high` false) or 4 to 7 of eight codes. */
// @ts-ignore: decorator
@inline
export function bitsOf(kind: u32, codes: v128, high: bool): v128 {
  if (kind == I16)
    return f32x4.convert_i32x4_s(
      high ? i32x4.extend_high_i16x8_s(codes) : i32x4.extend_low_i16x8_s(codes),
    );
  const wide = high ? i32x4.extend_high_i16x8_u(codes) : i32x4.extend_low_i16x8_u(codes);
  if (kind == BF16) return i32x4.shl(wide, 16);
  if (kind == F16) return f16Bits(wide);
  return f32x4.convert_i32x4_s(wide);
}

/** What orders eight codes by size. */
// @ts-ignore: decorator
@inline
export function keysOf(kind: u32, codes: v128): v128 {
  if (kind == I16) return i16x8.abs(codes);
  if (kind == U16) return codes;
  return v128.and(codes, i16x8.splat(0x7fff));
}

/** The same of one code. */
// @ts-ignore: decorator
@inline
export function keyOf(kind: u32, code: u32): u32 {
  if (kind == I16) return u32(abs(i32(i16(code))));
  if (kind == U16) return code;
  return code & 0x7fff;
}

/** The smallest key that is not finite. */
// @ts-ignore: decorator
@inline
export function keyLimit(kind: u32): u32 {
  if (kind == BF16) return 0x7f80;
  if (kind == F16) return 0x7c00;
  return 0x10000;
}
