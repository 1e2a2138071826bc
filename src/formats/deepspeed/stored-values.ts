/** Plain values out of DeepSpeed's pickles: counts, lists of counts, tables of shapes. */
import {
  isDict,
  isObject,
  isSequence,
  type PickleDict,
  type PickleValue,
} from '../pickle/values.ts';
import { readShape } from '../torch-zip/views.ts';

/** A whole number that counts something; an enum is its value. Null for anything else. */
export function countOf(value: PickleValue | undefined): number | null {
  const plain = isObject(value) && value.made === 'reduce' ? value.args[0] : value;
  return typeof plain === 'number' && Number.isSafeInteger(plain) && plain >= 0 ? plain : null;
}

/** Null where the value is no list, or one of its items counts nothing. */
export function countsOf(value: PickleValue | undefined): readonly number[] | null {
  if (!isSequence(value)) return null;
  const counts = value.items.map((item) => countOf(item));
  return counts.every((count) => count !== null) ? counts : null;
}

export interface Shape {
  readonly shape: readonly number[];
  readonly elements: number;
}

/** Parameters by name in stored order. */
export type ShapeTable = ReadonlyMap<string, Shape>;

/**
 * Null where the value is no dictionary of shapes.
 * @throws LaikaError `limit-exceeded` for a shape past every limit.
 */
export function shapeTableOf(value: PickleValue | undefined, where: string): ShapeTable | null {
  if (!isDict(value)) return null;
  const table = new Map<string, Shape>();
  for (const [name, size] of value.entries) {
    const shape = typeof name === 'string' ? readShape(size, `${where}: ${name}`) : null;
    if (!shape || typeof name !== 'string') return null;
    table.set(name, shape);
  }
  return table;
}

/** A list of tables, or one alone. */
export function shapeTablesOf(
  value: PickleValue | undefined,
  where: string,
): readonly ShapeTable[] | null {
  const items = isDict(value) ? [value] : isSequence(value) ? value.items : null;
  const tables = items?.map((item) => shapeTableOf(item, where)) ?? null;
  return tables?.every((table) => table !== null) ? tables : null;
}

/** Where a part of a parameter lies in a rank's vector. */
export interface Fragment {
  readonly start: number;
  readonly elements: number;
}

/** `{name: fragment_address(numel, start)}`; null where an entry is none. */
export function fragmentsOf(value: PickleValue | undefined): ReadonlyMap<string, Fragment> | null {
  if (!isDict(value)) return null;
  const fragments = new Map<string, Fragment>();
  for (const [name, address] of value.entries) {
    const state: PickleDict | null =
      isObject(address) && isDict(address.state) ? address.state : null;
    const start = countOf(state?.entries.get('start'));
    const elements = countOf(state?.entries.get('numel'));
    if (typeof name !== 'string' || start === null || elements === null) return null;
    fragments.set(name, { start, elements });
  }
  return fragments;
}
