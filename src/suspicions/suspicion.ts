/**
 * What a suspicion is: something that is possible, but that healthy training hardly ever shows.
 * Rules are definitions and pure functions of records and of the run's memory; nothing here reads a
 * file or a clock.
 */
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';

/**
 * What a tensor is compared with: `weight` weights and their master copies, `first` first moments
 * and momentum, `second` second moments (factored ones too), `buffer` anything that only exact
 * rules judge.
 */
export type Group = 'weight' | 'first' | 'second' | 'buffer';

/** Derived figures, all in octaves (log2). `delta…` are of Δ = weight now − weight at the base. */
export type Statistic =
  /** log2 of the largest |x|. */
  | 'top'
  | 'rms'
  /** log2 of largest over second largest |x|. */
  | 'gap'
  /** `top` − the 0.9 quantile of log2 |x|. */
  | 'reach'
  | 'deltaRms'
  /** Median of log2 |Δ|. */
  | 'deltaMedian'
  /** log2 of the largest |Δ| − `deltaRms`. */
  | 'deltaReach'
  /** Half of log2(largest / median) of the energies of rows, of blocks. */
  | 'deltaRowPeak'
  | 'deltaBlockPeak'
  /** Half of log2 of the largest energy of a row, of a block. */
  | 'deltaRowTop'
  | 'deltaBlockTop'
  /** log2 of the mean of m²/v. */
  | 'ratioMean';

/** What is said about a rule by `laika rules`. */
export interface SuspicionText {
  readonly id: string;
  readonly title: string;
  readonly family: 'statistics';
  /** What is compared with what. */
  readonly statement: string;
  readonly means: string;
  readonly catches: string;
  /** Healthy look-alikes, and why the rule does not fire on them. */
  readonly quiet: string;
  readonly needs: string;
  readonly cost: string;
}

/** One calibrated test of a rule: a statistic of one group of tensors. */
export interface Line {
  /** `weight.gap`; unique. */
  readonly id: string;
  readonly group: Group;
  readonly statistic: Statistic;
  /**
   * excess: now − the largest of the last 12. residual: distance from the tensor's own level, with
   * what the whole group did taken out, − the largest such distance of the last 12.
   */
  readonly kind: 'excess' | 'residual';
  /** The third largest score of the group is taken off: corruption hits one or two tensors. */
  readonly alone: boolean;
  /** A storm of the whole run does not lower the score. */
  readonly calm: boolean;
  /** Octaves that one healthy test in 1,000 reaches (`e0`). */
  readonly floor: number;
  /** Octaves for one more bit of evidence (`s`). */
  readonly octavesPerBit: number;
  /**
   * excess: the score is no larger than the excess of this figure over its own history. A ratio may
   * rise because what it is divided by fell; then nothing rose. residual: no larger than this figure’s
   * own residual in the same direction. A median may fall because most elements died.
   */
  readonly ceiling?: Statistic;
}

/** What a line measured on one tensor. */
export interface Measure {
  readonly line: Line;
  /**
   * The statistic now, and what it was expected to be: largest of the history, or level + group
   * shift.
   */
  readonly value: number;
  readonly reference: number;
  /** Octaves past the history, storm taken off. */
  readonly score: number;
  /** Score at which `baseBits` are given. */
  readonly base: number;
}

/**
 * Place of the element, row or block that a finding points to; flat, row-major index of its first
 * element.
 */
export type Locate = (
  record: SummaryRecord,
  pair: PairRecord | null,
  rows: number,
) => number | null;

/** A rule with calibrated lines. */
export interface StatisticalRule extends SuspicionText {
  readonly lines: readonly Line[];
  /** −1 of a record is null here. */
  readonly locate: (line: Line) => Locate;
  /** One sentence for people: what stands out, in numbers. */
  explain(measure: Measure): string;
}

/** Element index as records hold it: −1 says that there is none. */
export function knownIndex(index: number): number | null {
  return index >= 0 ? index : null;
}

/** For rules that are about a tensor as a whole. */
export const nowhere: Locate = () => null;

/** `12.4 octaves`. */
export function octaves(value: number): string {
  return `${value.toFixed(1)} octaves`;
}
