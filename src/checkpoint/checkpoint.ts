/** A checkpoint: the files of one step, opened but not read. */
import type { HyperValue, Optimizer } from './optimizer.ts';
import type { Problem } from './problem.ts';
import type { Tensor } from './tensor.ts';

/** A checksum that the files carry. Verified in the same read that the statistics take. */
export type StoredChecksum = CyclicChecksum | HashChecksum;

interface Covered {
  readonly file: string;
  /** What it covers, for people: `archive/data/3`. */
  readonly member: string;
  readonly offset: number;
  readonly length: number;
}

/** `crc32c-masked` is CRC-32C rotated and moved as TensorFlow stores it. */
export interface CyclicChecksum extends Covered {
  readonly kind: 'crc32' | 'crc32c' | 'crc32c-masked';
  readonly expected: number;
}

/** `git-sha1` is that of a git blob: of the bytes behind their length. */
export interface HashChecksum extends Covered {
  readonly kind: 'sha256' | 'sha1' | 'git-sha1';
  /** Lower-case hexadecimal. */
  readonly expected: string;
}

/** `stored`: a slice of a file that is a file of its own; `deflate` has no header, as in zip. */
export type Codec = 'stored' | 'deflate' | 'zlib' | 'gzip' | 'zstd' | BlockCodec;

/** Quantised blocks of GGML, which decode to float32. */
export type BlockCodec =
  | 'q4_0'
  | 'q4_1'
  | 'q5_0'
  | 'q5_1'
  | 'q8_0'
  | 'q2_k'
  | 'q3_k'
  | 'q4_k'
  | 'q5_k'
  | 'q6_k'
  | 'iq4_nl';

/** Bytes inside a file that placements name like a file, after decoding. */
export interface EncodedFile {
  /** What placements call it (`weights.npz!dense.npy`); never the name of a real file. */
  readonly name: string;
  readonly file: string;
  readonly offset: number;
  readonly storedBytes: number;
  readonly codec: Codec;
  /** After decoding. */
  readonly sizeBytes: number;
  /**
   * Bytes of an element, where decoding gives the first bytes of all elements, then all second ones:
   * HDF5's shuffle.
   */
  readonly planes?: number;
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
  /** What the files name and only parts of which mean anything: listed, and never judged. */
  readonly wholes?: readonly Tensor[];
  readonly optimizers: readonly Optimizer[];
  /** Parameters that no optimizer holds although the optimizers' parameters are all known. */
  readonly frozen: readonly string[];
  /** Names that the files declare equal: [name, name it repeats]; same storage or declared ties. */
  readonly tied: readonly (readonly [string, string])[];
  /**
   * The learning rate may have moved between two checkpoints: a scheduler's state was saved, or the
   * layout never says whether there is one.
   */
  readonly hasScheduler: boolean;
  /** All of them, the parts of compound ones too; missing where the layout stores none. */
  readonly schedulers?: readonly SchedulerState[];
  readonly checksums: readonly StoredChecksum[];
  /** Names in placements that are no files: parts of files, decoded as they are read. */
  readonly encoded?: readonly EncodedFile[];
  readonly problems: readonly Problem[];
}
