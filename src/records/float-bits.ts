/** Stored bits of a float, and back: what a finding shows, and what a flip is searched in. */
import type { DType } from '../checkpoint/dtype.ts';

const view = new DataView(new ArrayBuffer(8));

const formats = { f64: 64, f32: 32, bf16: 16, f16: 16 } as const;

export type FloatType = keyof typeof formats;

export function isFloatType(dtype: DType): dtype is FloatType {
  return dtype in formats;
}

/** Value of a half-precision bit pattern. */
function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Bits of a value that half precision holds exactly; anything else has none. */
function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | Math.round((size / 2 ** exponent - 1) * 1024);
}

/** Bits of `value` as `dtype` stores it; the value must be one that the type holds. */
export function toBits(value: number, dtype: FloatType): bigint {
  if (dtype === 'f16') return BigInt(toHalf(value));
  if (dtype === 'f64') {
    view.setFloat64(0, value);
    return view.getBigUint64(0);
  }
  view.setFloat32(0, value);
  return BigInt(dtype === 'bf16' ? view.getUint16(0) : view.getUint32(0));
}

/** Value of stored bits. */
export function fromBits(bits: bigint, dtype: FloatType): number {
  if (dtype === 'f16') return fromHalf(Number(bits));
  if (dtype === 'f64') {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  view.setUint32(0, dtype === 'bf16' ? Number(bits) * 65536 : Number(bits));
  return view.getFloat32(0);
}

export function bitWidth(dtype: FloatType): number {
  return formats[dtype];
}

/** `0x3f800000`: as many digits as the type has. */
export function hexadecimal(bits: bigint, width: number): string {
  return `0x${bits.toString(16).padStart(width / 4, '0')}`;
}
