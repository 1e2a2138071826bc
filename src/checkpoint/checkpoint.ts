/** A checkpoint: the files of one step, opened but not read. */
import type { HyperValue, Optimizer } from './optimizer.ts';
import type { Problem } from './problem.ts';
import type { Tensor } from './tensor.ts';

/** A checksum that the files carry. Verified in the same read that the statistics take. */
export interface StoredChecksum {
  readonly kind: 'crc32';
  readonly file: string;
  /** What it covers, for people: `archive/data/3`. */
  readonly member: string;
  readonly offset: number;
  readonly length: number;
  readonly expected: number;
}

/** Identity of a file when it was opened: a change during the check means that it was written under us. */
export interface FileState {
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: string;
}

/** Plain values of a learning-rate scheduler's state; a dictionary in it is a list of its pairs. */
export interface SchedulerState {
  /** Path in its file: `lr_scheduler`; empty where the file is the state itself. */
  readonly path: string;
  readonly state: Readonly<Record<string, HyperValue>>;
}

export interface Checkpoint {
  /** As the user gave it. */
  readonly path: string;
  readonly layout: string;
  /** The trainer's step where the files say it; else null. Never from a file's name. */
  readonly step: number | null;
  /** False: the layout's completion rule does not hold (yet); `problems` says what is missing. */
  readonly complete: boolean;
  readonly files: readonly FileState[];
  readonly tensors: readonly Tensor[];
  readonly optimizers: readonly Optimizer[];
  /** Parameters that no optimizer holds although the optimizers' parameters are all known. */
  readonly frozen: readonly string[];
  /** Names that the files declare equal: [name, name it repeats]; same storage or declared ties. */
  readonly tied: readonly (readonly [string, string])[];
  /** A learning-rate scheduler's state was saved: the rate may have moved between two checkpoints. */
  readonly hasScheduler: boolean;
  /** All of them, the parts of compound ones too; missing where the layout stores none. */
  readonly schedulers?: readonly SchedulerState[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
}
