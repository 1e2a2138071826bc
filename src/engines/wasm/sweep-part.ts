/**
 * What one thread found in consecutive chunks of a sweep. Plain data: it crosses threads. Parts are
 * joined in the order of the grid, so that their number changes no bit.
 */
import type { Operand } from '../../laws/law.ts';
import type { CopyRecord } from '../../records/copy-record.ts';
import type { LawRecord } from '../../records/law-record.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { CoveredCrc } from '../sweep-readings.ts';
import type { ValueCounts } from '../value-counts.ts';

/** The summary of one stream. */
export interface SummaryPart {
  /** Its counts, indices, lanes, blocks and digests; numbers that follow from those below are not. */
  readonly record: SummaryRecord;
  /** What orders |x| in this type: of the two largest; −1 for none. */
  readonly largest: number;
  readonly second: number;
  /** Smallest and largest finite value; ±Infinity for none. */
  readonly least: number | bigint;
  readonly most: number | bigint;
  /** Σx and Σx² of every page. */
  readonly sums: readonly number[];
  readonly squares: readonly number[];
  /** How often each code occurs, in ascending order of codes; null for wide types. */
  readonly counted: ValueCounts | null;
}

/** The movement in one page of Δ. */
export interface MovementPage {
  readonly first: number;
  readonly squares: number;
  readonly gained: number;
  readonly ratios: number;
  /** ΣΔ² of whole blocks, and of each row's elements in this page. */
  readonly blocks: Float64Array;
  readonly rows: Float64Array;
}

export interface MovementPart {
  changed: number;
  deltaMax1: number;
  deltaMax1Index: number;
  deltaMax2: number;
  ratioCount: number;
  readonly octaves: Float64Array;
  readonly pages: MovementPage[];
}

export interface SweepPart {
  readonly summaries: Partial<Record<Operand, SummaryPart>>;
  readonly laws: readonly LawRecord[];
  readonly copies: readonly CopyRecord[];
  readonly movement: MovementPart | null;
  readonly sha256: Partial<Record<Operand, string>>;
  readonly crcs: readonly CoveredCrc[];
  readonly bytesRead: number;
  readonly bytesRecalled: number;
  readonly isBaseAltered: boolean;
}
