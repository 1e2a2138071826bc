/** Types of at most 16 bits, by their codes: an element is one of at most 65,536 values. */
import { type DType, dtypeBits, isComplex } from '../checkpoint/dtype.ts';

/** How the exponent's highest codes are used. */
type Specials = 'ieee' | 'one-nan' | 'minus-zero-nan' | 'none';

interface FloatFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  readonly specials: Specials;
}

const floatFormats = new Map<DType, FloatFormat>([
  ['f16', { exponentBits: 5, mantissaBits: 10, bias: 15, specials: 'ieee' }],
  ['bf16', { exponentBits: 8, mantissaBits: 7, bias: 127, specials: 'ieee' }],
  ['f8e5m2', { exponentBits: 5, mantissaBits: 2, bias: 15, specials: 'ieee' }],
  ['f8e4m3fn', { exponentBits: 4, mantissaBits: 3, bias: 7, specials: 'one-nan' }],
  ['f8e4m3fnuz', { exponentBits: 4, mantissaBits: 3, bias: 8, specials: 'minus-zero-nan' }],
  ['f8e5m2fnuz', { exponentBits: 5, mantissaBits: 2, bias: 16, specials: 'minus-zero-nan' }],
  ['f4e2m1', { exponentBits: 2, mantissaBits: 1, bias: 1, specials: 'none' }],
]);

/** Counted by value: real, at most 16 bits, and a divisor of a byte or whole bytes. */
export function isNarrow(dtype: DType): boolean {
  const bits = dtypeBits[dtype];
  return !isComplex(dtype) && (bits === 16 || bits === 8 || bits === 4);
}

/** The smallest normal magnitude; 0 for types without subnormals (integers, e8m0). */
export function smallestNormal(dtype: DType): number {
  if (dtype === 'f64') return 2 ** -1022;
  if (dtype === 'f32') return 2 ** -126;
  const format = floatFormats.get(dtype);
  return format ? 2 ** (1 - format.bias) : 0;
}

/** The sign bit of one code where the type has a minus zero, else 0. */
export function minusZero(dtype: DType): number {
  const format = floatFormats.get(dtype);
  if (!format || format.specials === 'minus-zero-nan') return 0;
  return 2 ** (format.exponentBits + format.mantissaBits);
}

const tables = new Map<DType, Float64Array>();

/** Values of a narrow type by code. */
export function valuesOf(dtype: DType): Float64Array {
  const known = tables.get(dtype);
  if (known) return known;
  const table = Float64Array.from({ length: 2 ** dtypeBits[dtype] }, (_, code) =>
    valueOfCode(dtype, code),
  );
  tables.set(dtype, table);
  return table;
}

/** The value of a code of a narrow type. */
export function valueOfCode(dtype: DType, code: number): number {
  const format = floatFormats.get(dtype);
  if (format) return floatOfCode(format, code);
  switch (dtype) {
    case 'bool':
      return code === 0 ? 0 : 1;
    case 'i8':
      return (code << 24) >> 24;
    case 'i16':
      return (code << 16) >> 16;
    case 'f8e8m0':
      return code === 255 ? Number.NaN : 2 ** (code - 127);
    default:
      return code;
  }
}

function floatOfCode(format: FloatFormat, code: number): number {
  const { exponentBits, mantissaBits, bias, specials } = format;
  const signBit = 2 ** (exponentBits + mantissaBits);
  const sign = code >= signBit ? -1 : 1;
  const mantissa = code % 2 ** mantissaBits;
  const exponent = Math.floor(code / 2 ** mantissaBits) % 2 ** exponentBits;
  const highest = exponent === 2 ** exponentBits - 1;
  if (specials === 'ieee' && highest) return mantissa === 0 ? sign * Infinity : Number.NaN;
  if (specials === 'one-nan' && highest && mantissa === 2 ** mantissaBits - 1) return Number.NaN;
  if (specials === 'minus-zero-nan' && code === signBit) return Number.NaN;
  const fraction = mantissa / 2 ** mantissaBits;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}
