/**
 * Statistics of a narrow type from how often each code occurs: exact, and the same in any order of
 * reading.
 */
import type { DType } from '../checkpoint/dtype.ts';
import { valuesOf } from './narrow-types.ts';

/** Codes in ascending order, and how often each occurs (0 is allowed). */
export interface ValueCounts {
  readonly codes: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
}

/**
 * Codes whose terms are added up before they join the total: keeps rounding within 512 additions.
 */
const codesPerPart = 256;

/** Σ count · term(value) over finite values, by ascending code, in parts of 256 codes. */
function sumOver(dtype: DType, counted: ValueCounts, term: (value: number) => number): number {
  const values = valuesOf(dtype);
  let total = 0;
  let part = 0;
  let current = 0;
  for (let i = 0; i < counted.codes.length; i++) {
    const code = counted.codes[i] as number;
    const value = values[code] as number;
    if (!Number.isFinite(value)) continue;
    if (Math.floor(code / codesPerPart) !== current) {
      total += part;
      part = 0;
      current = Math.floor(code / codesPerPart);
    }
    part += (counted.counts[i] as number) * term(value);
  }
  return total + part;
}

/** Σx over finite elements. */
export function sumOfCounts(dtype: DType, counted: ValueCounts): number {
  return sumOver(dtype, counted, (value) => value);
}

/** Σ(x − centre)² over finite elements. */
export function squaresOfCounts(dtype: DType, counted: ValueCounts, centre: number): number {
  return sumOver(dtype, counted, (value) => (value - centre) * (value - centre));
}
