/** The header of one NumPy array: its element type, order and shape, as far as they can be believed. */
import { Buffer, isUtf8 } from 'node:buffer';
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { LiteralFault, type PythonLiteral, readPythonLiteral } from './python-literal.ts';

/** Magic, version, and the longest length field. */
export const npyPreambleBytes = 12;

/** Longest header that is read: structures of thousands of fields fit; NumPy itself stops at 10,000. */
export const npyHeaderMost = 65_536;

/** NumPy's own limit since version 2. */
const rankMost = 64;

/** Elements of the largest array whose bytes a double still counts. */
const bytesMost = 2n ** 53n;

export interface NpyHeader {
  /** As written: `<f4`, `|O`; a structure is shown as `structured`. */
  readonly descr: string;
  /** Null: no plain number; `isObject` says whether the data is a pickle. */
  readonly dtype: DType | null;
  readonly isObject: boolean;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Of the data; null where the element type has no known size. */
  readonly sizeBytes: number | null;
}

export interface NpyFault {
  readonly rule: 'header-invalid' | 'file-truncated';
  readonly kind: Problem['kind'];
  /** From the first byte of the array's file. */
  readonly offset: number;
  readonly message: string;
}

/** True for the first bytes of an array's file. */
export function isNpy(head: Uint8Array): boolean {
  return Buffer.from(head.buffer, head.byteOffset, head.length)
    .subarray(0, 6)
    .equals(Buffer.from('\x93NUMPY', 'latin1'));
}

export interface NpyPreamble {
  /** First byte of the header's text, and of the data. */
  readonly textOffset: number;
  readonly dataOffset: number;
}

/** Where header and data begin, from the first bytes of a file of `sizeBytes`. */
export function readNpyPreamble(head: Uint8Array, sizeBytes: number): NpyPreamble | NpyFault {
  const fault = (rule: NpyFault['rule'], offset: number, message: string): NpyFault => {
    return { rule, kind: 'damage', offset, message };
  };
  if (!isNpy(head)) {
    const rule = sizeBytes < 6 ? 'file-truncated' : 'header-invalid';
    return fault(rule, 0, 'it does not begin with the mark of a NumPy array');
  }
  const [major, minor] = [head[6], head[7]];
  if (head.length < 10) return fault('file-truncated', 8, 'it ends inside its preamble');
  if (minor !== 0 || !(major === 1 || major === 2 || major === 3)) {
    return fault('header-invalid', 6, `format ${major}.${minor} does not exist; 1.0 to 3.0 do`);
  }
  const textOffset = major === 1 ? 10 : 12;
  if (head.length < textOffset) return fault('file-truncated', 8, 'it ends inside its preamble');
  const view = new DataView(head.buffer, head.byteOffset);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > sizeBytes - textOffset) {
    const message = `a header of ${length} bytes is promised; ${sizeBytes - textOffset} follow`;
    return fault('file-truncated', 8, message);
  }
  if (length > npyHeaderMost) {
    return fault('header-invalid', 8, `its header has ${length} bytes; ${npyHeaderMost} are read`);
  }
  return { textOffset, dataOffset: textOffset + length };
}

const byteOrders = '<>|=';

/** Kinds with their sizes in bytes; anything else is no number that a law could read. */
const dtypes: ReadonlyMap<string, DType> = new Map([
  ['f8', 'f64'],
  ['f4', 'f32'],
  ['f2', 'f16'],
  ['i8', 'i64'],
  ['i4', 'i32'],
  ['i2', 'i16'],
  ['i1', 'i8'],
  ['u8', 'u64'],
  ['u4', 'u32'],
  ['u2', 'u16'],
  ['u1', 'u8'],
  ['b1', 'bool'],
  ['c8', 'c64'],
  ['c16', 'c128'],
]);

/** Characters of these kinds are four bytes each, of all others one. */
function opaqueItemBytes(kind: string, count: number): number {
  return kind === 'U' ? 4 * count : count;
}

/** Reads the text of a header, `textOffset` bytes into its file. */
export function readNpyHeader(text: Uint8Array, textOffset: number): NpyHeader | NpyFault {
  const invalid = (message: string, offset = 0): NpyFault => {
    return { rule: 'header-invalid', kind: 'damage', offset: textOffset + offset, message };
  };
  if (!isUtf8(text)) return invalid('its header is no text');
  const source = Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8');
  let literal: PythonLiteral;
  try {
    literal = readPythonLiteral(source);
  } catch (error) {
    if (!(error instanceof LiteralFault)) throw error;
    return looksLikeCode(source)
      ? {
          ...invalid('its header is an expression, which a careless reader would run'),
          kind: 'security',
        }
      : invalid(`its header is no Python literal: ${error.message}`, error.offset);
  }
  const fields = fieldsOf(literal);
  return typeof fields === 'string' ? invalid(fields) : fields;
}

/** A name that is called or whose attribute is taken: nothing that damage makes of a literal. */
function looksLikeCode(text: string): boolean {
  return /[A-Za-z_]\w*\s*[(.]/.test(text.replace(/'[^']*'|"[^"]*"/g, "''"));
}

function fieldsOf(literal: PythonLiteral): NpyHeader | string {
  if (!(literal instanceof Map)) return 'its header is no dictionary';
  const fields = literal as ReadonlyMap<string, PythonLiteral>;
  const [descr, fortranOrder] = [fields.get('descr'), fields.get('fortran_order')];
  const shape = shapeOf(fields.get('shape'));
  if (descr === undefined || typeof fortranOrder !== 'boolean') {
    return 'its header lacks descr or fortran_order';
  }
  if (fields.size !== 3) return 'its header has other keys than descr, fortran_order and shape';
  if (typeof shape === 'string') return shape;
  const type = typeOf(descr);
  if (type === null) return 'its element type is none of NumPy’s';
  const elements = shape.reduce((product, size) => product * BigInt(size), 1n);
  const bytes = type.itemBytes === null ? null : elements * BigInt(type.itemBytes);
  if (elements > bytesMost || (bytes ?? 0n) > bytesMost) {
    return `its shape (${shape.join(', ')}) is larger than any file`;
  }
  return {
    ...type,
    fortranOrder,
    shape,
    elements: Number(elements),
    sizeBytes: bytes === null ? null : Number(bytes),
  };
}

function shapeOf(value: PythonLiteral | undefined): number[] | string {
  if (!Array.isArray(value)) return 'its shape is no tuple';
  if (value.length > rankMost) return `its shape has ${value.length} dimensions`;
  const shape: number[] = [];
  for (const size of value as readonly PythonLiteral[]) {
    if (typeof size !== 'bigint' || size < 0n) return 'its shape holds something other than sizes';
    if (size > bytesMost) return `its shape holds the size ${size}, larger than any file`;
    shape.push(Number(size));
  }
  return shape;
}

type ElementType = Pick<NpyHeader, 'descr' | 'dtype' | 'isObject' | 'bigEndian'> & {
  readonly itemBytes: number | null;
};

function typeOf(descr: PythonLiteral): ElementType | null {
  const opaque = { dtype: null, isObject: false, bigEndian: false };
  if (typeof descr !== 'string') {
    return Array.isArray(descr) ? { descr: 'structured', ...opaque, itemBytes: null } : null;
  }
  const found = /^([<>|=]?)([a-zA-Z])([0-9]{0,9})(\[[^\]]*\])?$/.exec(descr);
  if (!found || !byteOrders.includes(found[1] as string)) return null;
  const [, order, kind, digits] = found as unknown as [string, string, string, string];
  if (kind === 'O') return { descr, ...opaque, isObject: true, itemBytes: null };
  const dtype = dtypes.get(kind + digits) ?? null;
  if (dtype)
    return { descr, ...opaque, dtype, bigEndian: order === '>', itemBytes: dtypeBits[dtype] / 8 };
  if (!'fiucVSUMmab'.includes(kind) || digits === '') return null;
  return { descr, ...opaque, itemBytes: opaqueItemBytes(kind, Number(digits)) };
}
