/** What goes into one validation. */
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { Group } from './suspicion.ts';
import type { Growth } from './unbacked-growth.ts';

/** A tensor of the head, with what passes returned for it. */
export interface JudgedTensor {
  /** Unique in the checkpoint, and the same from checkpoint to checkpoint. */
  readonly name: string;
  /** Joins weight, copy and moments of one parameter; null where that is unknown. */
  readonly unit: string | null;
  /** Null: no rule is about it. */
  readonly group: Group | null;
  /** First dimension of tensors of two and more, else 0. */
  readonly rows: number;
  readonly record: SummaryRecord;
  /**
   * Of weights: the changes against the base. Of first moments only `ratioMean` is read. Null
   * without base. A weight with an open warning stays compared with its last good base, where the
   * caller has that.
   */
  readonly pair: PairRecord | null;
  /** The tensor at the base: read where the memory holds no state of it. */
  readonly before: SummaryRecord | null;
  /** Hash of the content (`foldDigests`) where the record's digest table was dropped. */
  readonly digest?: string | null;
  readonly digestBefore?: string | null;
  /** More than half of the first 4,096 elements are distinct; null where nobody looked. */
  readonly varied?: boolean | null;
  /** Of second moments with an element that stands alone: that element's moments. */
  readonly growth?: Growth | null;
  /** A law is broken on it: it is judged, and teaches nothing. */
  readonly distrusted?: boolean;
}

/** A checkpoint to be judged. */
export interface Validation {
  /** The trainer's step; null where unknown, and then no updates are compared. */
  readonly step: number | null;
  /** Step of the base that the pair records are measured from; absent: the memory's own `step`. */
  readonly baseStep?: number | null;
  /** Decay of first moments (or the momentum); null where unknown. */
  readonly beta1: number | null;
  readonly tensors: readonly JudgedTensor[];
}
