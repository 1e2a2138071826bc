/**
 * The number codec. JSON turns NaN and ±Infinity into null and −0 into 0, and rounds integers past
 * 2^53; SQLite stores NaN as NULL. Everything that leaves the process goes through here.
 */

export type EncodedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0' | string;

/** `NaN` → `"NaN"`, `-0` → `"-0"`, unsafe integers (bigint) → decimal string; other numbers as they are. */
export function encodeNumber(value: number | bigint): EncodedNumber {
  if (typeof value === 'bigint') {
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value.toString();
  }
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return 'Infinity';
  if (value === -Infinity) return '-Infinity';
  if (Object.is(value, -0)) return '-0';
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 2 ** 64) {
    return BigInt(value).toString();
  }
  return value;
}

/** The inverse of `encodeNumber` for values that fit a double; null for anything else. */
export function decodeNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  if (value === '-0') return -0;
  return /^-?[0-9]+$/.test(value) ? Number(value) : null;
}

/** JSON text in which every number went through the codec. Keys keep their order. */
export function encodeJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) =>
      typeof item === 'number' || typeof item === 'bigint' ? encodeNumber(item) : item,
    indent,
  );
}
