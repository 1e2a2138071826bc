/** Turns stored elements into logical little-endian ones, in place. */
import assert from 'node:assert/strict';
import { type DType, dtypeBits, isComplex, isFloat } from '../checkpoint/dtype.ts';

export interface StoredForm {
  readonly dtype: DType;
  readonly bigEndian: boolean;
  readonly lazy: 'conjugate' | 'negative' | null;
}

/** Swaps bytes first, then applies the lazy operation: flags speak about values, not about bytes. */
export function toLogicalBytes(bytes: Uint8Array, form: StoredForm): void {
  const size = componentBytes(form.dtype);
  if (form.bigEndian) reverseComponents(bytes, size);
  if (form.lazy === 'conjugate' && isComplex(form.dtype)) flipSigns(bytes, size, 2);
  if (form.lazy === 'negative') negate(bytes, form.dtype, size);
}

/** Bytes of a real number: half an element where the type is complex. */
function componentBytes(dtype: DType): number {
  const bits = dtypeBits[dtype] / (isComplex(dtype) ? 2 : 1);
  assert(bits % 8 === 0, `elements of ${dtype} have no bytes of their own`);
  return bits / 8;
}

function reverseComponents(bytes: Uint8Array, size: number): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) view.swap16();
  else if (size === 4) view.swap32();
  else if (size === 8) view.swap64();
  else assert(size === 1, `no components of ${size} bytes exist`);
}

/** Flips the sign bit of every `every`-th component, starting with the last of the first group. */
function flipSigns(bytes: Uint8Array, size: number, every: number): void {
  const stride = size * every;
  for (let at = stride - 1; at < bytes.length; at += stride)
    bytes[at] = (bytes[at] as number) ^ 128;
}

function negate(bytes: Uint8Array, dtype: DType, size: number): void {
  if (dtype === 'f8e4m3fnuz' || dtype === 'f8e5m2fnuz') {
    // These have no minus zero: 0x80 is their NaN.
    for (let i = 0; i < bytes.length; i++) {
      if (((bytes[i] as number) & 127) !== 0) bytes[i] = (bytes[i] as number) ^ 128;
    }
    return;
  }
  assert(dtype !== 'f8e8m0' && dtype !== 'bool', `${dtype} has no negative`);
  if (isFloat(dtype) || isComplex(dtype)) flipSigns(bytes, size, 1);
  else negateIntegers(bytes, size);
}

/** Two's complement, byte by byte: −x = ~x + 1. */
function negateIntegers(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    let carry = 1;
    for (let i = start; i < start + size; i++) {
      const sum = ((bytes[i] as number) ^ 255) + carry;
      bytes[i] = sum & 255;
      carry = sum >> 8;
    }
  }
}
