/** How an array is cut into chunks and how each is stored: what both versions of zarr say. */
import type { Codec } from '../../checkpoint/checkpoint.ts';
import type { DType } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { isJsonObject, type JsonValue } from '../strict-json.ts';

export interface ArrayLayout {
  readonly dtype: DType;
  /** A type that is listed and not read; `dtype` then says only how wide its elements are. */
  readonly unreadType?: string;
  readonly bigEndian: boolean;
  readonly shape: readonly number[];
  readonly elements: number;
  /** What one key holds. */
  readonly chunkShape: readonly number[];
  /** Order of the elements in a chunk: `F` runs along the first dimension. */
  readonly order: 'C' | 'F';
  readonly codec: Codec;
  /** Four bytes behind each stored chunk are the CRC-32C of it. */
  readonly hasChecksum: boolean;
  /** A key holds many chunks and an index of them. */
  readonly shard: ShardLayout | null;
  /** Key of a chunk below the array's own, by its place in the grid. */
  keyOf(place: readonly number[]): string;
  /** Whether a chunk that is not stored is all zero bytes: its fill value is; null: none is said. */
  readonly fillsWithZeros: boolean | null;
}

export interface ShardLayout {
  /** What one chunk inside a shard holds; it divides the shard. */
  readonly chunkShape: readonly number[];
  readonly indexAtStart: boolean;
  /** Four bytes behind the index are its CRC-32C. */
  readonly indexHasChecksum: boolean;
}

/** Why an array is not listed, or listed and not read. */
export class LayoutFault extends Error {
  readonly rule: Problem['rule'];
  readonly kind: Problem['kind'];

  constructor(rule: Problem['rule'], kind: Problem['kind'], message: string) {
    super(message);
    this.name = 'LayoutFault';
    this.rule = rule;
    this.kind = kind;
  }
}

/** The metadata breaks its own format. */
export function invalid(message: string): LayoutFault {
  return new LayoutFault('header-invalid', 'damage', message);
}

/** Legal, and not read here. */
export function unsupported(message: string): LayoutFault {
  return new LayoutFault('dtype-unsupported', 'info', message);
}

/** NumPy stops at 64 dimensions. */
const rankMost = 64;

/** A list of whole numbers from `least` up. @throws LayoutFault where it is none. */
export function sizesOf(value: JsonValue | undefined, what: string, least = 0): readonly number[] {
  const items = Array.isArray(value) ? (value as readonly JsonValue[]) : null;
  if (!items || items.length > rankMost) throw invalid(`its ${what} is no list of sizes`);
  return items.map((item) => {
    const size = typeof item === 'bigint' ? Number(item) : item;
    const isSize = typeof size === 'number' && Number.isInteger(size) && size >= least;
    if (!isSize) throw invalid(`its ${what} holds something that is no size from ${least} up`);
    return size;
  });
}

/** @throws LayoutFault where no file has as many. */
export function elementsOf(shape: readonly number[]): number {
  const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (Number.isSafeInteger(elements)) return elements;
  throw new LayoutFault('shape-mismatch', 'damage', `no file holds the elements of [${shape}]`);
}

/** Name and configuration of a codec, as version 3 writes them; version 2 has other names. */
export interface NamedCodec {
  readonly name: string;
  readonly configuration: ReadonlyMap<string, JsonValue>;
}

/** Codecs that are plain compression, by the names of both versions. */
export const compressions: ReadonlyMap<string, Codec> = new Map([
  ['zstd', 'zstd'],
  ['gzip', 'gzip'],
  ['zlib', 'zlib'],
]);

/** Numbers in parts of a byte, one to a byte, and 8-bit floats that no other layout has. */
const unreadTypes =
  /^(u?int[24]|float4_e2m1fn|float6_e[23]m[23]fn|float8_(e3m4|e4m3|e4m3b11fnuz))$/;

/** Null where it is not known at all. */
export function unreadTypeOf(name: string): { dtype: DType; unreadType: string } | null {
  return unreadTypes.test(name) ? { dtype: 'u8', unreadType: name } : null;
}

/** What to say of a codec that is not read. */
export function otherCodec(name: string): LayoutFault {
  const shown = JSON.stringify(name.slice(0, 60));
  if (name !== 'pickle') return unsupported(`its codec ${shown} is not read`);
  const message = 'its chunks are pickles, which can run code when they are read';
  return new LayoutFault('code-in-pickle', 'security', message);
}

/** @throws LayoutFault where it is none. */
export function objectOf(value: JsonValue | undefined, what: string) {
  if (isJsonObject(value)) return value;
  throw invalid(`its ${what} is no JSON object`);
}
