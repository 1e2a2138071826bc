/** The header of a GGUF file: what each tensor claims, and where the data begins. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { GgufCursor, GgufFault, NeedsMore } from './gguf-cursor.ts';

export interface GgufEntry {
  readonly name: string;
  /** Slowest first, as everybody else writes shapes; the file has them the other way round. */
  readonly shape: readonly bigint[];
  readonly type: number;
  /** From the start of the data. */
  readonly offset: bigint;
  /** Of its record in the header. */
  readonly at: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly little: boolean;
  readonly alignment: number;
  readonly dataOffset: number;
  readonly entries: readonly GgufEntry[];
  /** Files of a split model: this one's number from 0, and how many there are. */
  readonly split: {
    readonly number: number;
    readonly count: number;
    readonly tensors: number;
  } | null;
}

/** Headers with vocabularies take a few megabytes. */
const headerMost = 2 ** 28;

const firstRead = 2 ** 18;

const tensorsMost = 1_000_000;

/** GGML's own limit. */
const rankMost = 4;

/** Least bytes of a record: a name's length, a rank, a type and an offset; of a value: key, type, one byte. */
const entryLeast = 24;
const valueLeast = 13;

/**
 * Reads the header in windows that double until it is whole.
 * @throws GgufFault; LaikaError `limit-exceeded`, and as `Source.read`.
 */
export async function readGgufHeader(source: Source, file: SourceFile): Promise<GgufHeader> {
  for (let length = firstRead; ; length *= 4) {
    const head = new Uint8Array(Math.min(length, file.sizeBytes));
    await source.read(file.name, 0, head);
    try {
      return parse(head, file);
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error;
    }
    if (length >= headerMost) {
      const what = `The header is longer than ${headerMost} bytes`;
      throw new LaikaError({ code: 'limit-exceeded', what, where: file.name });
    }
  }
}

function parse(head: Uint8Array, file: SourceFile): GgufHeader {
  const { version, little } = readVersion(head, file);
  const cursor = new GgufCursor(head, file, { at: 8, little });
  const tensorCount = cursor.count(entryLeast);
  const valueCount = cursor.count(valueLeast);
  if (tensorCount > tensorsMost) {
    const what = `The file lists more than ${tensorsMost} tensors`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: file.name });
  }
  const values = readValues(cursor, valueCount);
  const alignment = alignmentOf(values.get('general.alignment'));
  const entries: GgufEntry[] = [];
  for (let i = 0; i < tensorCount; i += 1) entries.push(readEntry(cursor));
  const dataOffset = Math.ceil(cursor.at / alignment) * alignment;
  return { version, little, alignment, dataOffset, entries, split: splitOf(values) };
}

function readVersion(
  head: Uint8Array,
  { name, sizeBytes }: SourceFile,
): { version: number; little: boolean } {
  if (head.length < 8 || Buffer.from(head.subarray(0, 4)).toString('latin1') !== 'GGUF') {
    const rule = sizeBytes < 8 ? 'file-truncated' : 'header-invalid';
    throw new GgufFault(rule, 0, 'it does not begin with the mark and version of a GGUF file');
  }
  const view = new DataView(head.buffer, head.byteOffset);
  const written = view.getUint32(4, true);
  // Written by a big-endian machine, the version lies in the other end.
  const little = (written & 0xffff) !== 0;
  const version = view.getUint32(4, little);
  if (version === 1) {
    throw new LaikaError({
      code: 'not-a-checkpoint',
      what: 'This layout is not supported',
      where: name,
      why: 'it is GGUF of version 1, which was in use for a few days of 2023',
      next: 'convert it to a newer version',
    });
  }
  if (version !== 2 && version !== 3) {
    throw new GgufFault('header-invalid', 4, `version ${version} does not exist; 2 and 3 do`);
  }
  return { version, little };
}

type Value = number | bigint | string | null;

/** What the others say is of no use here, and a header can hold millions. */
const keptKeys: ReadonlySet<string> = new Set([
  'general.alignment',
  'split.no',
  'split.count',
  'split.tensors.count',
]);

function readValues(cursor: GgufCursor, count: number): Map<string, Value> {
  const values = new Map<string, Value>();
  for (let i = 0; i < count; i += 1) {
    const key = cursor.text();
    const value = cursor.value(cursor.u32());
    if (keptKeys.has(key)) values.set(key, value);
  }
  return values;
}

function alignmentOf(value: Value | undefined): number {
  if (value === undefined) return 32;
  const alignment = Number(value);
  if (Number.isInteger(alignment) && alignment >= 1 && (alignment & (alignment - 1)) === 0) {
    return alignment;
  }
  throw new GgufFault('header-invalid', 0, `its alignment is ${value}, which is no power of two`);
}

function splitOf(values: ReadonlyMap<string, Value>): GgufHeader['split'] {
  const [number, count, tensors] = ['split.no', 'split.count', 'split.tensors.count'].map((key) => {
    const value = values.get(key);
    return typeof value === 'number' ? value : null;
  });
  if (number === null || count === null || number === undefined || count === undefined) return null;
  return count > 1 ? { number, count, tensors: tensors ?? 0 } : null;
}

function readEntry(cursor: GgufCursor): GgufEntry {
  const { at } = cursor;
  const name = cursor.text();
  const rank = cursor.u32();
  if (rank > rankMost) {
    throw new GgufFault(
      'header-invalid',
      at,
      `${JSON.stringify(name)} has ${rank} dimensions; ${rankMost} are allowed`,
    );
  }
  const shape: bigint[] = [];
  for (let i = 0; i < rank; i += 1) shape.unshift(cursor.u64());
  const type = cursor.u32();
  return { name, shape, type, offset: cursor.u64(), at };
}
