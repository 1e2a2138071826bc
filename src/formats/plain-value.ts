/** JSON values as hyper-parameters: plain ones are kept, everything else is left out. */
import type { HyperValue } from '../checkpoint/optimizer.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './strict-json.ts';

/** Undefined: an object, or a list that holds one. Integers past 2^53 are rounded. */
function plainValue(value: JsonValue): HyperValue | undefined {
  if (typeof value === 'bigint') return Number(value);
  if (isJsonObject(value)) return undefined;
  if (!Array.isArray(value)) return value as HyperValue;
  const items: HyperValue[] = [];
  for (const item of value as readonly JsonValue[]) {
    // Hyper-parameters are lists of numbers at most: a list of lists is nothing that a law reads.
    if (Array.isArray(item) || isJsonObject(item)) return undefined;
    items.push(typeof item === 'bigint' ? Number(item) : (item as HyperValue));
  }
  return items;
}

/** A record without a prototype, so that `__proto__` is a key like any other. */
export function plainRecord(object: JsonObject): Record<string, HyperValue> {
  const record: Record<string, HyperValue> = Object.create(null);
  for (const [key, value] of object) {
    const plain = plainValue(value);
    if (plain !== undefined) record[key] = plain;
  }
  return record;
}
