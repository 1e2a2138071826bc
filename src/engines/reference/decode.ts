/** Elements from logical bytes, one by one: what a value is, before anything is counted. */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import { isNarrow, valuesOf } from '../narrow-types.ts';

/** A real element; 64-bit integers are exact. */
export type Real = number | bigint;

/** The stored code of an element of at most 16 bits. */
export function codeAt(dtype: DType, view: DataView, index: number): number {
  const bits = dtypeBits[dtype];
  if (bits === 16) return view.getUint16(2 * index, true);
  if (bits === 8) return view.getUint8(index);
  // Two elements a byte, the first in the low half.
  const byte = view.getUint8(Math.floor(index / 2));
  return index % 2 === 0 ? byte & 15 : byte >>> 4;
}

/** The value of a real element. */
export function realAt(dtype: DType, view: DataView, index: number): Real {
  switch (dtype) {
    case 'f64':
      return view.getFloat64(8 * index, true);
    case 'f32':
      return view.getFloat32(4 * index, true);
    case 'i64':
      return view.getBigInt64(8 * index, true);
    case 'u64':
      return view.getBigUint64(8 * index, true);
    case 'i32':
      return view.getInt32(4 * index, true);
    case 'u32':
      return view.getUint32(4 * index, true);
    default:
      if (!isNarrow(dtype)) throw new Error(`elements of ${dtype} are no real numbers`);
      return valuesOf(dtype)[codeAt(dtype, view, index)] as number;
  }
}

/** The value as laws see it: a complex element is no number to them, but NaN. */
export function lawValueAt(dtype: DType, view: DataView, index: number): number {
  return isComplex(dtype) ? Number.NaN : Number(realAt(dtype, view, index));
}

const partTypes = { c32: 'f16', c64: 'f32', c128: 'f64' } as const;

export type ComplexType = keyof typeof partTypes;

/** Type of the two parts of a complex type. */
export function partType(dtype: ComplexType): DType {
  return partTypes[dtype];
}

/** Real and imaginary part of a complex element. */
export function partsAt(
  dtype: ComplexType,
  view: DataView,
  index: number,
): readonly [number, number] {
  const part = (i: number) => realAt(partTypes[dtype], view, i) as number;
  return [part(2 * index), part(2 * index + 1)];
}

/** The stored bits of an element of any width. */
export function bitsAt(dtype: DType, view: DataView, index: number): bigint {
  const bits = dtypeBits[dtype];
  if (bits <= 16) return BigInt(codeAt(dtype, view, index));
  let found = 0n;
  for (let word = bits / 32 - 1; word >= 0; word--) {
    found = (found << 32n) | BigInt(view.getUint32((index * bits) / 8 + 4 * word, true));
  }
  return found;
}
