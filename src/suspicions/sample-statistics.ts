/** The one place where simple-statistics is used: order statistics of small samples. */
import { max, mean, median } from 'simple-statistics';

/** Middle value (mean of the two middle ones); NaN of none. */
export function medianOf(sample: readonly number[]): number {
  return sample.length === 0 ? Number.NaN : median([...sample]);
}

/** Largest value; NaN of none. */
export function largestOf(sample: readonly number[]): number {
  return sample.length === 0 ? Number.NaN : max([...sample]);
}

/** Arithmetic mean; NaN of none. */
export function meanOf(sample: readonly number[]): number {
  return sample.length === 0 ? Number.NaN : mean([...sample]);
}
