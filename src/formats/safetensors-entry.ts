/** One entry of a safetensors header: its fields checked, none believed. */
import { type DType, dtypeBits } from '../checkpoint/dtype.ts';
import type { ProblemRule } from '../checkpoint/problem.ts';
import { isJsonObject, type JsonValue } from './strict-json.ts';

/** Spelling of element types in the format. */
const dtypes: ReadonlyMap<string, DType> = new Map([
  ['F64', 'f64'],
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['F8_E4M3', 'f8e4m3fn'],
  ['F8_E5M2', 'f8e5m2'],
  ['F8_E4M3FNUZ', 'f8e4m3fnuz'],
  ['F8_E5M2FNUZ', 'f8e5m2fnuz'],
  ['F8_E8M0', 'f8e8m0'],
  ['F6_E2M3', 'f6e2m3'],
  ['F6_E3M2', 'f6e3m2'],
  ['F4', 'f4e2m1'],
  ['C64', 'c64'],
  ['I64', 'i64'],
  ['I32', 'i32'],
  ['I16', 'i16'],
  ['I8', 'i8'],
  ['U64', 'u64'],
  ['U32', 'u32'],
  ['U16', 'u16'],
  ['U8', 'u8'],
  ['BOOL', 'bool'],
]);

export interface EntryFault {
  readonly rule: ProblemRule;
  readonly message: string;
}

export interface Entry {
  readonly name: string;
  /** Null where the type is unknown or the shape is no shape; `faults` says it. */
  readonly dtype: DType | null;
  readonly shape: readonly number[] | null;
  readonly elements: number;
  /** Bytes in the data section, begin ≤ end; null where the offsets are none. */
  readonly range: { readonly begin: number; readonly end: number } | null;
  /** Shape and type give exactly the bytes of the range. */
  readonly agrees: boolean;
  readonly hasExtraFields: boolean;
  readonly faults: readonly EntryFault[];
}

/** Elements and bytes above this cannot lie in any file; a double still counts them exactly. */
const most = Number.MAX_SAFE_INTEGER;

/** Checks an entry for itself; whether its range lies in the file, and alone, is for the whole to say. */
export function readEntry(name: string, value: JsonValue): Entry {
  const faults: EntryFault[] = [];
  const fault = (rule: ProblemRule, message: string) => {
    faults.push({ rule, message });
    return null;
  };
  if (!isJsonObject(value)) {
    fault('header-invalid', 'its entry is no JSON object');
    const nothing = { dtype: null, shape: null, elements: 0, range: null, agrees: false };
    return { name, ...nothing, hasExtraFields: false, faults };
  }
  const dtype = dtypeOf(value.get('dtype'), fault);
  const sizes = shapeOf(value.get('shape'), fault);
  const range = rangeOf(value.get('data_offsets'), fault);
  const elements = sizes && productOf(sizes);
  const agrees = dtype && sizes && range ? fits({ dtype, elements, range }, fault) : false;
  const shape = elements === null ? null : (sizes as Sizes).map(Number);
  const hasExtraFields = value.size > 3;
  return { name, dtype, shape, elements: elements ?? 0, range, agrees, hasExtraFields, faults };
}

/** Sizes past 2^53 are exact. */
type Sizes = readonly (number | bigint)[];

type Fault = (rule: ProblemRule, message: string) => null;

function dtypeOf(value: JsonValue | undefined, fault: Fault): DType | null {
  if (typeof value !== 'string')
    return fault('header-invalid', 'its dtype is missing or no string');
  const dtype = dtypes.get(value);
  if (dtype) return dtype;
  return fault('dtype-unsupported', `its dtype ${JSON.stringify(value.slice(0, 40))} is not known`);
}

function shapeOf(value: JsonValue | undefined, fault: Fault): Sizes | null {
  if (!Array.isArray(value)) return fault('header-invalid', 'its shape is missing or no list');
  if ((value as readonly JsonValue[]).every(isSize)) return value as Sizes;
  return fault('header-invalid', 'its shape holds something that is no whole number from 0 up');
}

function isSize(value: JsonValue): boolean {
  return typeof value === 'bigint'
    ? value >= 0n
    : Number.isSafeInteger(value) && Number(value) >= 0;
}

function rangeOf(value: JsonValue | undefined, fault: Fault): Entry['range'] {
  const [begin, end, ...rest] = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (!isInteger(begin) || !isInteger(end) || rest.length > 0) {
    return fault('header-invalid', 'its data_offsets are missing or no two whole numbers');
  }
  if (begin < 0 || begin > end || end > most) {
    return fault(
      'tensor-out-of-bounds',
      `its data_offsets [${begin}, ${end}] are no range of bytes`,
    );
  }
  return { begin: Number(begin), end: Number(end) };
}

function isInteger(value: JsonValue | undefined): value is number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

/** Null: more elements than any file has. Stops early, so that a long shape costs no long numbers. */
function productOf(sizes: Sizes): number | null {
  if (sizes.some((size) => Number(size) === 0)) return 0;
  let product = 1;
  for (const size of sizes) {
    product *= Number(size);
    // What is above is rounded, but never to below.
    if (product > most) return null;
  }
  return product;
}

function fits(
  entry: { dtype: DType; elements: number | null; range: { begin: number; end: number } },
  fault: Fault,
): boolean {
  const { dtype, elements, range } = entry;
  const stored = range.end - range.begin;
  if (elements === null) {
    fault('shape-mismatch', `its shape has more elements than ${stored} bytes can hold`);
    return false;
  }
  const bits = BigInt(elements) * BigInt(dtypeBits[dtype]);
  if (bits === BigInt(stored) * 8n) return true;
  const needed = bits % 8n === 0n ? `${bits / 8n} bytes` : `${bits} bits`;
  fault('shape-mismatch', `shape and dtype make ${needed}, the offsets ${stored} bytes`);
  return false;
}
