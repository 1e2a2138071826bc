/** What Laika remembers of a run to judge its next checkpoint: plain data, about 1 KB a tensor. */
import type { DType } from '../checkpoint/dtype.ts';
import type { ExactState } from './exact-state.ts';
import type { Group, Statistic } from './suspicion.ts';

/** Values of a statistic that are kept: what `excess` and the largest residual look back on. */
export const historyLength = 12;

/** Of these, how many the level of a residual is the median of. */
export const levelLength = 8;

/** Values without which a line is not tested. */
export const leastHistory = 4;

/** Values that make the level of a residual. */
export const leastLevel = 3;

/** Validations whose largest score of a line makes its base. */
export const bestKept = 64;

/** Step distances kept, of which the median is the usual one. */
export const stridesKept = 9;

/** Validations before this one in which an info counts as the same one again. */
export const infosKept = 3;

/** Shares of moved elements that are kept: the present one and the four that stale-tensor asks. */
export const movingKept = 5;

/** A tensor that is missing from so many checkpoints is forgotten: hostile names do not pile up. */
export const missesForgotten = 12;

/** Oldest first; null where the tensor had no such figure at a checkpoint. */
export type Window = readonly (number | null)[];

/** Windows by statistic; no entry where the group has no line of it. */
export type Windows = Partial<Readonly<Record<Statistic, Window>>>;

/** One tensor's history. */
export interface TensorMemory {
  readonly group: Group;
  readonly dtype: DType;
  readonly elements: number;
  readonly rows: number;
  readonly values: Windows;
  readonly residuals: Windows;
  /**
   * Share of elements that moved at the last checkpoints with comparable updates, this tensor's
   * own.
   */
  readonly moving: readonly number[];
  /** Its last trusted state. */
  readonly exact: ExactState | null;
  /** Checkpoints since it was last seen. */
  readonly missed: number;
}

/** What a warned tensor would have taught: taken in when the operator accepts it. */
export interface Lesson {
  readonly values: Partial<Readonly<Record<Statistic, number>>>;
  readonly residuals: Partial<Readonly<Record<Statistic, number>>>;
  readonly exact: ExactState;
}

/** A warning that was paged and has not ended: one page, however often it is seen again. */
export interface OpenSuspicion {
  /** Every rule that warned of the tensor since it was opened. */
  readonly rules: readonly string[];
  /** Step at which it was opened; null where the trainer's step was unknown. */
  readonly since: number | null;
  /** Validations in a row without any finding on the tensor; the second one ends it. */
  readonly clean: number;
  readonly lesson: Lesson;
}

/** A warning that an operator took for his own doing. */
export interface AcceptedSuspicion {
  readonly tensor: string;
  readonly rules: readonly string[];
  readonly since: number | null;
}

/** All that is known of a run; plain data, never changed in place. */
export interface RunMemory {
  /** Validations judged. */
  readonly validations: number;
  /** Step of the checkpoint that updates are measured from, when the caller names no other base. */
  readonly step: number | null;
  readonly strides: readonly number[];
  /** Validations in a row whose updates could not be compared. */
  readonly unlike: number;
  /** Line id → its largest scores, oldest first. */
  readonly best: ReadonlyMap<string, readonly number[]>;
  readonly tensors: ReadonlyMap<string, TensorMemory>;
  readonly open: ReadonlyMap<string, OpenSuspicion>;
  readonly accepted: readonly AcceptedSuspicion[];
  /** Infos of the last validations, [rule, tensor], newest validation last. */
  readonly infos: readonly (readonly (readonly [string, string])[])[];
}

/** The memory of a run of which nothing was seen. */
export function emptyRunMemory(): RunMemory {
  return {
    validations: 0,
    step: null,
    strides: [],
    unlike: 0,
    best: new Map(),
    tensors: new Map(),
    open: new Map(),
    accepted: [],
    infos: [],
  };
}

/** Appends to a window and drops what is older than `length`. */
export function pushed<T>(window: readonly T[] | undefined, value: T, length: number): T[] {
  return [...(window ?? []).slice(-(length - 1)), value];
}

/** The finite values among the last `length` of a window. */
export function finiteOf(window: Window | undefined, length: number): number[] {
  return (window ?? []).slice(-length).filter((x): x is number => x !== null && Number.isFinite(x));
}
