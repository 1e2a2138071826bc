/**
 * Rules without calibration: they compare a tensor with its own last trusted state, bit for bit.
 */
import type { DType } from '../checkpoint/dtype.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { ExactState } from './exact-state.ts';
import type { Group, SuspicionText } from './suspicion.ts';

/** A tensor now, and its last trusted state. */
export interface ExactCase {
  readonly group: Group;
  readonly record: SummaryRecord;
  readonly now: ExactState;
  readonly before: ExactState;
  /** More than half of the first 4,096 elements are distinct; null where nobody looked. */
  readonly varied: boolean | null;
  /** A first moment without gradients has had the time to underflow to 0. */
  readonly mayUnderflow: boolean;
}

/** What a rule without calibration found. */
export interface ExactHit {
  /** What is counted, now and before. */
  readonly value: number;
  readonly reference: number;
  readonly message: string;
  /** Lanes (flat index mod 32) and mantissa planes that stick; empty where the rule has none. */
  readonly lanes: readonly number[];
  readonly planes: readonly number[];
}

/** A rule that compares a tensor with its own last trusted state. */
export interface ExactRule extends SuspicionText {
  /**
   * Groups in which the same finding on more than a third of the tensors at once is an act of
   * somebody (pruning, a new optimizer), told once as info.
   */
  readonly actInGroups: readonly Group[];
  judge(tensor: ExactCase): ExactHit | null;
}

const floats: ReadonlySet<DType> = new Set(['f64', 'f32', 'f16', 'bf16']);

/** Types whose mantissa bits are noise in training: integers and 8-bit floats have too few. */
export function hasNoisyMantissa(dtype: DType): boolean {
  return floats.has(dtype);
}

/** The set bits of a mask, lowest first. */
export function bitsOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
}
