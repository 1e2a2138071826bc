/**
 * What values of a pickle take in memory, in bytes: an upper estimate of what V8 needs on 64-bit
 * machines, the second copy that a growing container needs for a moment included.
 */
import { isDict, isGlobal, isObject, isTagged, type PickleValue } from './values.ts';

/** A place in a list, or in the memo. */
export const itemBytes = 24;

/** A value that a call copies into another container. */
export const copyBytes = 48;

/** A second state of an object, or an entry of the memo out of order. */
export const entryBytes = 112;

const containerBytes = 72;
const dictBytes = 232;
const objectBytes = 128;
const globalBytes = 128;
const persistentBytes = 88;
const textBytes = 32;
/** A view of bytes: the bytes themselves belong to the pickle. */
const viewBytes = 224;

/** A table doubles when it is full; the first four entries are part of the dictionary. */
export function tableBytes(entries: number): number {
  if (entries <= 4) return 0;
  const places = 2 ** Math.ceil(Math.log2(entries));
  // While a large one grows, the one before is still there.
  return 28 * (places - 4) + (places > 1024 ? 14 * places : 0);
}

function numberBytes(value: number): number {
  return (value | 0) === value ? 0 : 16;
}

/** Text with any character outside of Latin-1 takes two bytes for each. */
function characterBytes(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 : 1;
}

/** Counted in sixteen-byte steps; the text is not made. */
function bigBytes(value: bigint): number {
  let bytes = 16;
  while (BigInt.asIntN(8 * bytes, value) !== value) bytes *= 2;
  return 24 + bytes;
}

/** What a value takes by itself: its items are values of their own. */
export function bytesOf(value: PickleValue): number {
  if (typeof value === 'number') return numberBytes(value);
  if (typeof value === 'string') return textBytes + characterBytes(value) * value.length;
  if (typeof value === 'bigint') return bigBytes(value);
  if (value instanceof Uint8Array) return viewBytes + (value.byteOffset === 0 ? value.length : 0);
  if (!isTagged(value)) return 0;
  if (isDict(value)) return dictBytes + tableBytes(value.entries.size);
  if (isGlobal(value)) return globalBytes + 2 * (value.module.length + value.name.length);
  if (isObject(value)) return objectBytes;
  return 'items' in value ? containerBytes + 16 + 8 * value.items.length : persistentBytes;
}
