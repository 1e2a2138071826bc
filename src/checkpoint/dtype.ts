/**
 * Element types, named as reports name them. Bits, not bytes: some types are smaller than a byte.
 * Codes of the 8-bit and 4-bit floats follow the OCP and IEEE-style definitions that PyTorch uses.
 */

/** Bits of one element. */
export const dtypeBits = {
  f64: 64,
  f32: 32,
  f16: 16,
  bf16: 16,
  f8e4m3fn: 8,
  f8e5m2: 8,
  f8e4m3fnuz: 8,
  f8e5m2fnuz: 8,
  f8e8m0: 8,
  f6e2m3: 6,
  f6e3m2: 6,
  f4e2m1: 4,
  i64: 64,
  i32: 32,
  i16: 16,
  i8: 8,
  u64: 64,
  u32: 32,
  u16: 16,
  u8: 8,
  bool: 8,
  c32: 32,
  c64: 64,
  c128: 128,
} as const;

export type DType = keyof typeof dtypeBits;

const floats: ReadonlySet<DType> = new Set([
  'f64',
  'f32',
  'f16',
  'bf16',
  'f8e4m3fn',
  'f8e5m2',
  'f8e4m3fnuz',
  'f8e5m2fnuz',
  'f8e8m0',
  'f6e2m3',
  'f6e3m2',
  'f4e2m1',
]);

/** Real floating point, of any width. */
export function isFloat(dtype: DType): boolean {
  return floats.has(dtype);
}

export function isComplex(dtype: DType): boolean {
  return dtype === 'c32' || dtype === 'c64' || dtype === 'c128';
}

/** Bytes of `elements` packed elements, or null where they do not fill whole bytes. */
export function sizeBytes(dtype: DType, elements: number): number | null {
  const bits = dtypeBits[dtype] * elements;
  return bits % 8 === 0 ? bits / 8 : null;
}
