/** Attributes of pickled objects: what BUILD would have set. */
import { isDict, isGlobal, isObject, isSequence, type PickleValue } from './values.ts';

/** The class of an object, or the name itself where the value is one; null for anything else. */
export function classNameOf(value: PickleValue): string | null {
  if (isGlobal(value)) return value.name;
  return isObject(value) && isGlobal(value.callee) ? value.callee.name : null;
}

/** Null: no object with attributes. A pair of attributes and slots counts as its attributes. */
export function attributesOf(
  value: PickleValue | undefined,
): ReadonlyMap<PickleValue, PickleValue> | null {
  if (!isObject(value)) return null;
  const { state } = value;
  if (isDict(state)) return state.entries;
  const parts = isSequence(state) ? state.items.find((item) => isDict(item)) : undefined;
  return isDict(parts) ? parts.entries : null;
}

/** One attribute; with null, the state as a whole. */
export function attributeOf(
  value: PickleValue | undefined,
  name: string | null,
): PickleValue | undefined {
  if (name === null) return isObject(value) ? value.state : undefined;
  return attributesOf(value)?.get(name);
}

/** Whole numbers from 0 up in a list or tuple; null for anything else. */
export function integersOf(value: PickleValue | undefined): readonly number[] | null {
  if (!isSequence(value)) return null;
  const sizes = value.items.filter((item) => {
    return typeof item === 'number' && Number.isSafeInteger(item) && item >= 0;
  });
  return sizes.length === value.items.length ? (sizes as number[]) : null;
}
