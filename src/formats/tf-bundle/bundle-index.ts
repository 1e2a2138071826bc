/** What the index of a TensorFlow checkpoint says: how many data files there are, and what lies in them. */
import { Buffer } from 'node:buffer';
import { LaikaError } from '../../checkpoint/errors.ts';
import { type WireField, wireFields } from '../protobuf.ts';
import { readSliceKey, type SliceKey } from './slice-key.ts';
import { readTable, TableFault } from './sstable.ts';

export interface BundleEntry {
  readonly key: string;
  /** TensorFlow's number for the element type. */
  readonly type: number;
  readonly shape: readonly bigint[];
  readonly shard: number;
  readonly offset: bigint;
  readonly size: bigint;
  /** Masked CRC-32C; null where none is stored. */
  readonly crc: number | null;
  /** It has no bytes of its own: its parts have keys that no name can be. */
  readonly isSliced: boolean;
  /** Of its record in the index. */
  readonly at: number;
}

/** `entry.shape` is the part's own. */
export interface BundlePart {
  readonly place: SliceKey;
  readonly entry: BundleEntry;
}

export interface BundleIndex {
  readonly shards: number;
  readonly bigEndian: boolean;
  readonly entries: readonly BundleEntry[];
  /** Parts of partitioned variables, by the name of the whole. */
  readonly parts: ReadonlyMap<string, readonly BundlePart[]>;
  /** Keys that are no names and no parts either. */
  readonly strange: number;
}

const entriesMost = 1_000_000;

/** Keys are stored as their difference to the one before: a small file can hold endless ones. */
const keyBytesMost = 2 ** 28;

function tooMuch(where: string): LaikaError {
  const what = `The index lists more than ${entriesMost} variables, or longer names than it may`;
  return new LaikaError({ code: 'limit-exceeded', what, where });
}

function varint(field: WireField): bigint {
  return field.kind === 'varint' ? field.value : 0n;
}

function shapeOf(message: Uint8Array): bigint[] {
  const sizes: bigint[] = [];
  for (const dimension of wireFields(message)) {
    if (dimension.number !== 2 || dimension.kind !== 'bytes') continue;
    let size = 0n;
    for (const field of wireFields(dimension.bytes)) {
      if (field.number === 1) size = BigInt.asIntN(64, varint(field));
    }
    sizes.push(size);
  }
  return sizes;
}

function readEntry(key: string, value: Uint8Array, at: number): BundleEntry {
  let [type, shard, offset, size] = [0n, 0n, 0n, 0n];
  let shape: bigint[] = [];
  let crc: number | null = null;
  let isSliced = false;
  for (const field of wireFields(value)) {
    if (field.number === 1) type = varint(field);
    if (field.number === 2 && field.kind === 'bytes') shape = shapeOf(field.bytes);
    if (field.number === 3) shard = varint(field);
    if (field.number === 4) offset = varint(field);
    if (field.number === 5) size = varint(field);
    if (field.number === 6 && field.kind === 'fixed32')
      crc = Buffer.from(field.bytes).readUInt32LE();
    if (field.number === 7) isSliced = true;
  }
  return { key, type: Number(type), shape, shard: Number(shard), offset, size, crc, isSliced, at };
}

/**
 * Reads a whole index.
 * @throws TableFault, ProtobufFault, LaikaError `limit-exceeded`.
 */
export function readBundleIndex(file: Buffer, where: string): BundleIndex {
  let header: { shards: number; bigEndian: boolean } | null = null;
  const parts = new Map<string, BundlePart[]>();
  let [count, strange] = [0, 0];
  const entries: BundleEntry[] = [];
  let keyBytes = 0;
  for (const { key, value, offset } of readTable(file)) {
    keyBytes += key.length;
    count += 1;
    if (count > entriesMost || keyBytes > keyBytesMost) throw tooMuch(where);
    if (!header) {
      if (key.length > 0) throw new TableFault('header-invalid', offset, 'the index has no header');
      header = readHeader(value);
    } else if (key[0] === 0) {
      const place = readSliceKey(key);
      if (!place) strange += 1;
      else {
        const known = parts.get(place.name) ?? [];
        known.push({ place, entry: readEntry(place.name, value, offset) });
        parts.set(place.name, known);
      }
    } else entries.push(readEntry(key.toString('utf8'), value, offset));
  }
  if (!header) throw new TableFault('header-invalid', 0, 'the index has no entries');
  return { ...header, entries, parts, strange };
}

function readHeader(value: Uint8Array): { shards: number; bigEndian: boolean } {
  let [shards, endianness] = [0n, 0n];
  for (const field of wireFields(value)) {
    if (field.number === 1) shards = varint(field);
    if (field.number === 2) endianness = varint(field);
  }
  return { shards: Number(shards), bigEndian: endianness === 1n };
}
