/** Element types and shapes as HDF5 describes them. */
import type { DType } from '../../checkpoint/dtype.ts';

export interface Datatype {
  /** Null: no plain number. */
  readonly dtype: DType | null;
  readonly kind: 'number' | 'text' | 'opaque' | 'other';
  /** Of variable length: the data is in a heap. */
  readonly isVariable: boolean;
  readonly sizeBytes: number;
  readonly bigEndian: boolean;
}

const integers: readonly (readonly [bytes: number, signed: DType, unsigned: DType])[] = [
  [1, 'i8', 'u8'],
  [2, 'i16', 'u16'],
  [4, 'i32', 'u32'],
  [8, 'i64', 'u64'],
];

/** By bytes, bits of the exponent and of the fraction: two types have 16 bits. */
const floats: ReadonlyMap<string, DType> = new Map([
  ['2:5:10', 'f16'],
  ['2:8:7', 'bf16'],
  ['4:8:23', 'f32'],
  ['8:11:52', 'f64'],
]);

/** Null: too short to be a description. */
export function readDatatype(body: Buffer): Datatype | null {
  if (body.length < 8) return null;
  const kind = (body[0] as number) & 15;
  const flags = body[1] as number;
  const sizeBytes = body.readUInt32LE(4);
  const plain = { kind: 'other', isVariable: false, sizeBytes, bigEndian: false } as const;
  if (kind === 0) {
    const found = integers.find(([bytes]) => bytes === sizeBytes);
    const dtype = found ? (flags & 8 ? found[1] : found[2]) : null;
    return { ...plain, kind: 'number', dtype, bigEndian: (flags & 1) !== 0 };
  }
  if (kind === 1 && body.length >= 20) {
    const dtype = floats.get(`${sizeBytes}:${body[13]}:${body[15]}`) ?? null;
    // Bit 6 with bit 0 is the order of a VAX.
    const order = flags & 0x41;
    return { ...plain, kind: 'number', dtype: order > 1 ? null : dtype, bigEndian: order === 1 };
  }
  if (kind === 3) return { ...plain, kind: 'text', dtype: null };
  if (kind === 5) return { ...plain, kind: 'opaque', dtype: null };
  if (kind === 8) {
    const isBool = sizeBytes === 1 && body.includes('FALSE') && body.includes('TRUE');
    return { ...plain, kind: 'number', dtype: isBool ? 'bool' : null };
  }
  const isText = kind === 9 && (flags & 15) === 1;
  return { ...plain, kind: isText ? 'text' : 'other', isVariable: kind === 9, dtype: null };
}

const rankMost = 32;

/** Null: no shape of its own (or none at all); an empty list is one element. */
export function readDataspace(body: Buffer): bigint[] | null {
  const version = body[0];
  const rank = body[1] ?? 0;
  const start = version === 1 ? 8 : 4;
  if ((version !== 1 && version !== 2) || rank > rankMost) return null;
  if (version === 2 && body[3] === 2) return null;
  if (body.length < start + 8 * rank) return null;
  return Array.from({ length: rank }, (_, i) => body.readBigUInt64LE(start + 8 * i));
}
