/** What torch calls its element types and storages, in Laika's words. */
import type { DType } from '../../checkpoint/dtype.ts';

/** An element type, or what is known of one that Laika does not read. */
export interface ElementType {
  /** The type itself, or one of the same size where `unread` is set. */
  readonly dtype: DType;
  /** Bytes of one element as torch counts them in a shape. */
  readonly bytes: number;
  /** Why the elements are not read; null where they are. */
  readonly unread: string | null;
}

function read(dtype: DType, bytes: number): ElementType {
  return { dtype, bytes, unread: null };
}

function unread(dtype: DType, bytes: number, why: string): ElementType {
  return { dtype, bytes, unread: why };
}

const u8 = read('u8', 1);

/** `torch.float32` and its old names. */
const byDtypeName: ReadonlyMap<string, ElementType> = new Map([
  ['float64', read('f64', 8)],
  ['double', read('f64', 8)],
  ['float32', read('f32', 4)],
  ['float', read('f32', 4)],
  ['float16', read('f16', 2)],
  ['half', read('f16', 2)],
  ['bfloat16', read('bf16', 2)],
  ['int64', read('i64', 8)],
  ['long', read('i64', 8)],
  ['int32', read('i32', 4)],
  ['int', read('i32', 4)],
  ['int16', read('i16', 2)],
  ['short', read('i16', 2)],
  ['int8', read('i8', 1)],
  ['uint8', u8],
  ['uint16', read('u16', 2)],
  ['uint32', read('u32', 4)],
  ['uint64', read('u64', 8)],
  ['bool', read('bool', 1)],
  ['complex32', read('c32', 4)],
  ['chalf', read('c32', 4)],
  ['complex64', read('c64', 8)],
  ['cfloat', read('c64', 8)],
  ['complex128', read('c128', 16)],
  ['cdouble', read('c128', 16)],
  ['float8_e4m3fn', read('f8e4m3fn', 1)],
  ['float8_e5m2', read('f8e5m2', 1)],
  ['float8_e4m3fnuz', read('f8e4m3fnuz', 1)],
  ['float8_e5m2fnuz', read('f8e5m2fnuz', 1)],
  ['float8_e8m0fnu', read('f8e8m0', 1)],
  // Two elements in a byte, and torch counts bytes.
  ['float4_e2m1fn_x2', read('f4e2m1', 1)],
  ['qint8', unread('i8', 1, 'quantised')],
  ['quint8', unread('u8', 1, 'quantised')],
  ['qint32', unread('i32', 4, 'quantised')],
  ['quint4x2', unread('u8', 1, 'quantised')],
  ['quint2x4', unread('u8', 1, 'quantised')],
]);

/** Storage classes of `torch` that say what they hold. */
const byStorageClass: ReadonlyMap<string, ElementType> = new Map(
  (
    [
      ['DoubleStorage', 'float64'],
      ['FloatStorage', 'float32'],
      ['HalfStorage', 'float16'],
      ['BFloat16Storage', 'bfloat16'],
      ['LongStorage', 'int64'],
      ['IntStorage', 'int32'],
      ['ShortStorage', 'int16'],
      ['CharStorage', 'int8'],
      ['ByteStorage', 'uint8'],
      ['BoolStorage', 'bool'],
      ['ComplexFloatStorage', 'complex64'],
      ['ComplexDoubleStorage', 'complex128'],
      ['QInt8Storage', 'qint8'],
      ['QUInt8Storage', 'quint8'],
      ['QInt32Storage', 'qint32'],
      ['QUInt4x2Storage', 'quint4x2'],
      ['QUInt2x4Storage', 'quint2x4'],
      ['UntypedStorage', 'uint8'],
    ] as const
  ).map(([storage, dtype]) => [storage, byDtypeName.get(dtype) as ElementType]),
);

/** `torch.<name>` as an element type; unknown names are counted as bytes and not read. */
export function elementTypeOf(name: string): ElementType | null {
  const known = byDtypeName.get(name);
  if (known) return known;
  if (/^(u?int[1-7]|bits(8|1x8|2x4|4x2)|float[0-9]_[a-z0-9_]+)$/.test(name)) {
    return unread('u8', 1, `element type ${name} is not known`);
  }
  return name === 'bits16' ? unread('u16', 2, 'element type bits16 is not known') : null;
}

/**
 * The element type of a storage class, by its name without the module; null where it is no storage.
 */
export function elementTypeOfStorage(name: string): ElementType | null {
  return byStorageClass.get(name) ?? null;
}
