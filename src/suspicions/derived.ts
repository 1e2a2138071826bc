/**
 * Figures that the rules judge, from the records of one tensor. All in octaves; absent where
 * undefined.
 */
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import { largestOf, meanOf, medianOf } from './sample-statistics.ts';
import type { Statistic } from './suspicion.ts';

/**
 * Absent: the tensor has no such figure now (all zero, unmoved, too small, nothing to compare
 * with).
 */
export type Statistics = Partial<Record<Statistic, number>>;

/** Nonzero elements without which the largest of them says nothing. */
const leastForGap = 8;

const bias = 127;

/** Null for 0, NaN and infinities. */
function log2(x: number): number | null {
  return x > 0 && Number.isFinite(x) ? Math.log2(x) : null;
}

/**
 * Quantile p of log2 |x| from a histogram of biased exponents: linear inside the octave. Zeros,
 * subnormals (index 0) and what float32 cannot hold (index 255) take no part. Null where nothing is
 * left.
 */
export function octaveQuantile(octaves: ArrayLike<number>, p: number): number | null {
  let total = 0;
  for (let k = 1; k < 255; k++) total += octaves[k] as number;
  const target = p * total;
  let before = 0;
  for (let k = 1; total > 0 && k < 255; k++) {
    const count = octaves[k] as number;
    if (before + count >= target) return k - bias + (target - before) / count;
    before += count;
  }
  return null;
}

/**
 * How far the most moved row or block stands above the middle one, in octaves of root energy: of
 * the mean where the middle one did not move. 0 where nothing moved and where there is no table: a
 * tensor without rows counts as tested, which is how the constants were set, and errs towards
 * silence.
 */
export function energyPeak(energy: Float64Array): number {
  const table = Array.from(energy);
  const most = largestOf(table);
  if (!(most > 0)) return 0;
  const top = log2(most);
  const middle = log2(medianOf(table) || meanOf(table));
  return top === null || middle === null ? 0 : (top - middle) / 2;
}

/** Half of log2 of the most moved row or block; 0 as `energyPeak` says it. */
function energyTop(energy: Float64Array): number {
  return (log2(largestOf(Array.from(energy))) ?? 0) / 2;
}

function scaleStatistics(record: SummaryRecord): [Statistic, number | null][] {
  const top = log2(record.max1);
  if (top === null) return [];
  const second = log2(record.max2);
  const enough = record.elements - record.zeros >= leastForGap;
  const q90 = octaveQuantile(record.octaves, 0.9);
  const rms = log2(Math.sqrt(record.sumSquares / record.elements) / record.squareScale);
  return [
    ['top', top],
    ['rms', rms],
    ['gap', enough && second !== null ? top - second : null],
    ['reach', q90 === null ? null : top - q90],
  ];
}

function deltaStatistics(record: SummaryRecord, pair: PairRecord): [Statistic, number | null][] {
  const top = log2(pair.deltaMax1);
  const rms = log2(Math.sqrt(pair.deltaSquares / record.elements));
  if (pair.changed === 0 || top === null || rms === null) return [];
  return [
    ['deltaRms', rms],
    ['deltaMedian', octaveQuantile(pair.deltaOctaves, 0.5)],
    ['deltaReach', top - rms],
    ['deltaRowPeak', energyPeak(pair.rowEnergy)],
    ['deltaBlockPeak', energyPeak(pair.blockEnergy)],
    ['deltaRowTop', energyTop(pair.rowEnergy)],
    ['deltaBlockTop', energyTop(pair.blockEnergy)],
  ];
}

/**
 * Figures are settled to 10^-8 octaves, so that a memory written as short decimals and read back
 * judges exactly as one that was never written. A bit of evidence is 0.08 octaves or more.
 */
function settle(value: number): number {
  return Math.round(value * 1e8) / 1e8 + 0;
}

/**
 * @param moves the pair record of a weight whose base is at a comparable distance, else null
 * @param ratioMean mean of m²/v of a first moment; NaN where unknown
 */
export function deriveStatistics(
  record: SummaryRecord,
  moves: PairRecord | null,
  ratioMean: number,
): Statistics {
  const all: [Statistic, number | null][] = [
    ...scaleStatistics(record),
    ...(moves ? deltaStatistics(record, moves) : []),
    ['ratioMean', log2(ratioMean)],
  ];
  const statistics: Statistics = {};
  for (const [name, value] of all) if (value !== null) statistics[name] = settle(value);
  return statistics;
}
