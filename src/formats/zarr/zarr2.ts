/** `.zarray`: an array of zarr's second version. */
import type { Codec } from '../../checkpoint/checkpoint.ts';
import { dtypeOfDescription } from '../jax/array-types.ts';
import type { JsonObject, JsonValue } from '../strict-json.ts';
import { isJsonObject } from '../strict-json.ts';
import {
  type ArrayLayout,
  compressions,
  elementsOf,
  invalid,
  LayoutFault,
  otherCodec,
  sizesOf,
  unreadTypeOf,
  unsupported,
} from './array-layout.ts';

/** @throws LayoutFault where it is malformed, or not read here. */
export function readZarr2(metadata: JsonObject): ArrayLayout {
  const shape = sizesOf(metadata.get('shape'), 'shape');
  const chunkShape = sizesOf(metadata.get('chunks'), 'chunk shape', 1);
  if (chunkShape.length !== shape.length) throw invalid('its chunks have another rank than it');
  elementsOf(chunkShape);
  refuseFilters(metadata.get('filters') ?? null);
  const type = typeOf(metadata.get('dtype'));
  const separator = metadata.get('dimension_separator') ?? '.';
  if (separator !== '.' && separator !== '/') throw invalid('its keys have no known separator');
  return {
    ...type,
    shape,
    elements: elementsOf(shape),
    chunkShape,
    order: metadata.get('order') === 'F' ? 'F' : 'C',
    codec: codecOf(metadata.get('compressor') ?? null),
    hasChecksum: false,
    shard: null,
    keyOf: (place) => (place.length === 0 ? '0' : place.join(separator)),
    fillsWithZeros: isZeroFill(metadata.get('fill_value') ?? null),
  };
}

/** Null where no value is said. */
export function isZeroFill(value: JsonValue): boolean | null {
  if (value === null) return null;
  return value === false || (typeof value === 'number' && Object.is(value, 0));
}

function typeOf(value: JsonValue | undefined) {
  if (typeof value !== 'string') throw unsupported('its elements are records');
  const type = dtypeOfDescription(value);
  if (type) return type;
  const unread = unreadTypeOf(value);
  if (unread) return { ...unread, bigEndian: false };
  if (!value.includes('O'))
    throw unsupported(`its dtype ${JSON.stringify(value.slice(0, 40))} is not known`);
  const message = 'its elements are Python objects, which can run code when they are read';
  throw new LayoutFault('code-in-pickle', 'security', message);
}

function codecOf(value: JsonValue): Codec {
  if (value === null) return 'stored';
  const id = isJsonObject(value) ? value.get('id') : null;
  if (typeof id !== 'string') throw invalid('its compressor has no id');
  const codec = compressions.get(id);
  if (codec) return codec;
  throw otherCodec(id);
}

function refuseFilters(value: JsonValue): void {
  if (value === null) return;
  const [first] = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (first === undefined) return;
  const id = isJsonObject(first) ? first.get('id') : null;
  throw otherCodec(typeof id === 'string' ? id : 'filter');
}
