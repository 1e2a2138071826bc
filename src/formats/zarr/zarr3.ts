/** `zarr.json`: an array of zarr's third version, its chunks alone or many in a shard. */
import type { Codec } from '../../checkpoint/checkpoint.ts';
import { dtypeOfName } from '../jax/array-types.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../strict-json.ts';
import {
  type ArrayLayout,
  compressions,
  elementsOf,
  invalid,
  type NamedCodec,
  objectOf,
  otherCodec,
  type ShardLayout,
  sizesOf,
  unreadTypeOf,
  unsupported,
} from './array-layout.ts';
import { isZeroFill } from './zarr2.ts';

/** @throws LayoutFault where it is malformed, or not read here. */
export function readZarr3(metadata: JsonObject): ArrayLayout {
  const shape = sizesOf(metadata.get('shape'), 'shape');
  const grid = named(metadata.get('chunk_grid'), 'chunk grid');
  if (grid.name !== 'regular') throw unsupported('its chunk grid is not regular');
  const chunkShape = sizesOf(grid.configuration.get('chunk_shape'), 'chunk shape', 1);
  if (chunkShape.length !== shape.length) throw invalid('its chunks have another rank than it');
  elementsOf(chunkShape);
  const { shard, codecs } = shardOf(codecsOf(metadata.get('codecs')), chunkShape);
  return {
    ...storageOf(codecs),
    ...typeOf(metadata.get('data_type')),
    shape,
    elements: elementsOf(shape),
    chunkShape,
    order: 'C',
    shard,
    keyOf: keysOf(metadata.get('chunk_key_encoding')),
    fillsWithZeros: isZeroFill(metadata.get('fill_value') ?? null),
  };
}

function typeOf(value: JsonValue | undefined) {
  const dtype = typeof value === 'string' ? dtypeOfName(value) : null;
  if (dtype) return { dtype };
  const unread = typeof value === 'string' ? unreadTypeOf(value) : null;
  if (unread) return unread;
  const shown = typeof value === 'string' ? ` ${JSON.stringify(value.slice(0, 40))}` : '';
  throw unsupported(`its data type${shown} is not known`);
}

/** Version 3 writes `{name, configuration}`, or the name alone. */
function named(value: JsonValue | undefined, what: string): NamedCodec {
  if (typeof value === 'string') return { name: value, configuration: new Map() };
  const object = objectOf(value, what);
  const name = object.get('name');
  if (typeof name !== 'string') throw invalid(`its ${what} has no name`);
  const configuration = object.get('configuration');
  return { name, configuration: isJsonObject(configuration) ? configuration : new Map() };
}

function codecsOf(value: JsonValue | undefined): readonly NamedCodec[] {
  if (!Array.isArray(value)) throw invalid('its codecs are no list');
  return (value as readonly JsonValue[]).map((each) => named(each, 'codec'));
}

function shardOf(
  codecs: readonly NamedCodec[],
  shardShape: readonly number[],
): { shard: ShardLayout | null; codecs: readonly NamedCodec[] } {
  const [first, ...others] = codecs;
  if (first?.name !== 'sharding_indexed') return { shard: null, codecs };
  const [other] = others;
  if (other) throw unsupported(`its shards go through ${JSON.stringify(other.name)} too`);
  const { configuration } = first;
  const chunkShape = sizesOf(configuration.get('chunk_shape'), 'chunk shape in a shard', 1);
  const divides = shardShape.every((size, d) => size % (chunkShape[d] ?? Number.NaN) === 0);
  if (!divides || chunkShape.length !== shardShape.length) {
    throw invalid('its chunks do not divide its shards');
  }
  const index = codecsOf(configuration.get('index_codecs'));
  const indexHasChecksum = index.some(({ name }) => name === 'crc32c');
  if (index.some(({ name }) => name !== 'bytes' && name !== 'crc32c') || isBig(index[0])) {
    throw unsupported('the index of its shards is encoded in a way that is not read');
  }
  const indexAtStart = configuration.get('index_location') === 'start';
  const shard = { chunkShape, indexAtStart, indexHasChecksum };
  return { shard, codecs: codecsOf(configuration.get('codecs')) };
}

function isBig(codec: NamedCodec | undefined): boolean {
  return codec?.configuration.get('endian') === 'big';
}

/** `bytes`, then at most one compression, then at most a checksum. */
function storageOf(codecs: readonly NamedCodec[]): {
  bigEndian: boolean;
  codec: Codec;
  hasChecksum: boolean;
} {
  const [bytes, ...rest] = codecs;
  if (bytes?.name !== 'bytes') throw otherCodec(bytes?.name ?? '');
  let codec: Codec = 'stored';
  let hasChecksum = false;
  for (const { name } of rest) {
    const compression = compressions.get(name);
    if (hasChecksum || (compression && codec !== 'stored')) throw otherCodec(name);
    if (compression) codec = compression;
    else if (name === 'crc32c') hasChecksum = true;
    else throw otherCodec(name);
  }
  return { bigEndian: isBig(bytes), codec, hasChecksum };
}

function keysOf(value: JsonValue | undefined): ArrayLayout['keyOf'] {
  const { name, configuration } = named(value ?? 'default', 'chunk key encoding');
  if (name !== 'default' && name !== 'v2') throw unsupported('its chunk keys are not known');
  const separator = configuration.get('separator') ?? (name === 'v2' ? '.' : '/');
  if (separator !== '.' && separator !== '/') throw invalid('its keys have no known separator');
  if (name === 'default') return (place) => ['c', ...place].join(separator);
  return (place) => (place.length === 0 ? '0' : place.join(separator));
}
