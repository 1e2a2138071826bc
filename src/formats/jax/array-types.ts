/** Element types by the names that NumPy, ml_dtypes and JAX give them in files. */
import type { DType } from '../../checkpoint/dtype.ts';

const byName: ReadonlyMap<string, DType> = new Map([
  ['float64', 'f64'],
  ['float32', 'f32'],
  ['float16', 'f16'],
  ['bfloat16', 'bf16'],
  ['float8_e4m3fn', 'f8e4m3fn'],
  ['float8_e5m2', 'f8e5m2'],
  ['float8_e4m3fnuz', 'f8e4m3fnuz'],
  ['float8_e5m2fnuz', 'f8e5m2fnuz'],
  ['float8_e8m0fnu', 'f8e8m0'],
  ['int64', 'i64'],
  ['int32', 'i32'],
  ['int16', 'i16'],
  ['int8', 'i8'],
  ['uint64', 'u64'],
  ['uint32', 'u32'],
  ['uint16', 'u16'],
  ['uint8', 'u8'],
  ['bool', 'bool'],
  ['complex64', 'c64'],
  ['complex128', 'c128'],
]);

/** `float32`, `bfloat16`; null for a name that is not known. */
export function dtypeOfName(name: string): DType | null {
  return byName.get(name) ?? null;
}

const kinds: ReadonlyMap<string, string> = new Map([
  ['f', 'float'],
  ['i', 'int'],
  ['u', 'uint'],
  ['c', 'complex'],
]);

export interface DescribedType {
  readonly dtype: DType;
  readonly bigEndian: boolean;
}

/** NumPy's short form, `<f4` or `|b1`, or a plain name; null where it is not known. */
export function dtypeOfDescription(text: string): DescribedType | null {
  const short = /^([<>|=])([fiuc])([0-9]{1,2})$/.exec(text);
  const name = short ? `${kinds.get(short[2] as string)}${Number(short[3]) * 8}` : text;
  const dtype = text === '|b1' ? 'bool' : dtypeOfName(name);
  return dtype && { dtype, bigEndian: short?.[1] === '>' };
}
