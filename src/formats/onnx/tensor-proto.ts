/** One TensorProto: what it claims, and where its values lie. */
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Piece } from '../../checkpoint/tensor.ts';
import { type ByteSpan, WireFault, type WireWalker } from './wire-walker.ts';

/** ONNX's numbers for element types; strings and integers below a byte are not read. */
const dtypes: ReadonlyMap<number, DType> = new Map([
  [1, 'f32'],
  [2, 'u8'],
  [3, 'i8'],
  [4, 'u16'],
  [5, 'i16'],
  [6, 'i32'],
  [7, 'i64'],
  [9, 'bool'],
  [10, 'f16'],
  [11, 'f64'],
  [12, 'u32'],
  [13, 'u64'],
  [14, 'c64'],
  [15, 'c128'],
  [16, 'bf16'],
  [17, 'f8e4m3fn'],
  [18, 'f8e4m3fnuz'],
  [19, 'f8e5m2'],
  [20, 'f8e5m2fnuz'],
  [23, 'f4e2m1'],
  [24, 'f8e8m0'],
]);

export interface ExternalData {
  readonly location: string | null;
  readonly offset: string | null;
  readonly length: string | null;
  readonly checksum: string | null;
}

export interface TensorProto {
  readonly name: string;
  /** Negative sizes as they are written. */
  readonly dims: readonly bigint[];
  readonly type: number;
  readonly dtype: DType | null;
  readonly raw: ByteSpan | null;
  /** Packed floats and doubles: their bytes are the elements. */
  readonly pieces: readonly ByteSpan[];
  /** Packed varints, and those that were written one by one. */
  readonly varints: readonly ByteSpan[];
  readonly values: readonly bigint[];
  /** Null: the values are in the model's own file. */
  readonly external: ExternalData | null;
  readonly at: number;
}

const nameMost = 65_536;

/** Written one by one: nobody has done that since packed fields exist. */
const valuesMost = 100_000;

const rankMost = 64;

/** @throws WireFault; as `WireWalker.fields`. */
export async function readTensorProto(walker: WireWalker, span: ByteSpan): Promise<TensorProto> {
  const found = {
    name: '',
    dims: [] as bigint[],
    type: 0,
    raw: null as ByteSpan | null,
    pieces: [] as ByteSpan[],
    varints: [] as ByteSpan[],
    values: [] as bigint[],
    entries: [] as ByteSpan[],
    isExternal: false,
  };
  for await (const field of walker.fields(span)) {
    if (field.kind === 'varint') {
      if (field.number === 1) found.dims.push(BigInt.asIntN(64, field.value));
      if (field.number === 2) found.type = Number(BigInt.asUintN(31, field.value));
      if (field.number === 14) found.isExternal = field.value === 1n;
      if (field.number === 5 || field.number === 7 || field.number === 11)
        found.values.push(field.value);
    } else if (field.kind !== 'bytes') {
      if (field.number === 4 || field.number === 10) found.pieces.push(field.span);
    } else if (field.number === 1) found.dims.push(...(await packedVarints(walker, field.span)));
    else if (field.number === 8) found.name = await walker.text(field.span, nameMost);
    else if (field.number === 9) found.raw = field.span;
    else if (field.number === 4 || field.number === 10) found.pieces.push(field.span);
    else if (field.number === 5 || field.number === 7 || field.number === 11)
      found.varints.push(field.span);
    else if (field.number === 13) found.entries.push(field.span);
    if (found.values.length + found.pieces.length > valuesMost || found.dims.length > rankMost) {
      throw new WireFault(
        span.offset,
        'a tensor has more dimensions or single values than any has',
      );
    }
  }
  const { entries, isExternal, ...rest } = found;
  const external = isExternal ? await readEntries(walker, entries) : null;
  return { ...rest, dtype: dtypes.get(found.type) ?? null, external, at: span.offset };
}

async function packedVarints(walker: WireWalker, span: ByteSpan): Promise<bigint[]> {
  if (span.length > 10 * rankMost)
    throw new WireFault(span.offset, 'a shape has too many dimensions');
  return [...varintsIn(await walker.bytes(span))].map((value) => BigInt.asIntN(64, value));
}

/** @throws WireFault for a number without an end. */
export function* varintsIn(bytes: Uint8Array): Generator<bigint> {
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      yield BigInt.asUintN(64, value);
      value = 0n;
      shift = 0n;
    } else if (shift >= 70n) throw new WireFault(0, 'a number has no end');
  }
  if (shift > 0n) throw new WireFault(0, 'a number is cut');
}

async function readEntries(
  walker: WireWalker,
  entries: readonly ByteSpan[],
): Promise<ExternalData> {
  const values = new Map<string, string>();
  for (const entry of entries) {
    let key = '';
    let value = '';
    for await (const field of walker.fields(entry)) {
      if (field.kind !== 'bytes') continue;
      if (field.number === 1) key = await walker.text(field.span, nameMost);
      if (field.number === 2) value = await walker.text(field.span, nameMost);
    }
    values.set(key, value);
  }
  const get = (key: string) => values.get(key) ?? null;
  return {
    location: get('location'),
    offset: get('offset'),
    length: get('length'),
    checksum: get('checksum'),
  };
}

/** Elements of a packed field as pieces of a file; null where they do not fill whole elements. */
export function piecesOf(
  file: string,
  spans: readonly ByteSpan[],
  dtype: DType,
): { pieces: Piece[]; elements: number } | null {
  const bytes = dtypeBits[dtype] / 8;
  let elements = 0;
  const pieces: Piece[] = [];
  for (const { offset, length } of spans) {
    if (length % bytes !== 0) return null;
    pieces.push({ file, offset, elements: length / bytes });
    elements += length / bytes;
  }
  return { pieces, elements };
}
