/** float32 bits rounded to the nearest 16-bit float, ties to even: what a 16-bit copy must hold. */

/** bf16 bits. NaN keeps sign and high payload and becomes quiet. */
export function roundToBf16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits >>> 0) + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/**
 * f16 bits. NaN keeps sign and high payload; a payload that would vanish becomes 1 (NumPy's rule).
 */
export function roundToF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7c00 | Math.max(1, (size & 0x7fffff) >>> 13);
  // 65,520 lies halfway between the largest f16 and 2^16.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) {
    const rebiased = size - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  return sign | subnormalF16(size);
}

/** Below 2^-14 an f16 counts units of 2^-24; at most half a unit rounds to 0. */
function subnormalF16(size: number): number {
  if (size <= 0x33000000) return 0;
  const shift = 126 - (size >>> 23);
  const mantissa = (size & 0x7fffff) | 0x800000;
  const whole = mantissa >>> shift;
  const rest = mantissa & (2 ** shift - 1);
  const half = 2 ** (shift - 1);
  return rest > half || (rest === half && whole % 2 === 1) ? whole + 1 : whole;
}
