/** What an engine is asked to do, and what it returns. It owns how bytes reach it; it never decides. */
import type { StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { BoundLaw, Operand } from '../laws/law.ts';
import type { CopyRecord } from '../records/copy-record.ts';
import type { LawRecord } from '../records/law-record.ts';
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { Source } from '../sources/source.ts';
import type { Chunk } from './sweep-reader.ts';

/** A tensor of the head or of the base, in the part that it plays in a sweep. */
export interface Stream {
  readonly tensor: Tensor;
  readonly origin: 'base' | 'head';
  /**
   * The digest table of these bytes (of the base), where a ledger holds it. An engine that recalls
   * takes a page from the head instead of reading it where the head's has the same digests, and
   * compares what it reads.
   */
  readonly digests?: Uint32Array;
}

/** `equal`: same dtype, same bits. `rounded`: `right` (bf16 or f16) is `left` (f32) rounded to nearest even. */
export interface CopyPlan {
  readonly relation: 'equal' | 'rounded';
  readonly left: Operand;
  readonly right: Operand;
}

/** How `wA` became `wB`, both of which must be streams; moments join in where they are. */
export interface MovementPlan {
  /** The weight's first dimension where it has two or more, else 0. */
  readonly rows: number;
  /** β₂ᵏ: the share of the base's second moment that the head inherits; 0 where unknown. */
  readonly inherited: number;
}

/**
 * What is asked of summaries. `numbers`: counts, sums and sizes. `bits`: digest tables and lanes as
 * well, which a base is compared by. `history`: octaves as well, which a run's history is made of.
 */
export type Detail = 'numbers' | 'bits' | 'history';

/**
 * Tensors of one shape that are read side by side, once, and everything that is computed from them
 * while they are in cache. Streams may differ in dtype; they agree in the number of elements.
 */
export interface Sweep {
  readonly elements: number;
  readonly streams: Partial<Readonly<Record<Operand, Stream>>>;
  /** Streams to summarise. */
  readonly summaries: readonly Operand[];
  readonly laws: readonly BoundLaw[];
  readonly copies: readonly CopyPlan[];
  /** Streams whose logical bytes are hashed as well (SHA-256, hexadecimal). */
  readonly sha256: readonly Operand[];
  /** Absent: how the weights moved is not computed. */
  readonly movement?: MovementPlan;
  /** Absent: `history`. An engine may give more. */
  readonly detail?: Detail;
}

export interface SweepResult {
  readonly summaries: Partial<Record<Operand, SummaryRecord>>;
  /** In the order of `Sweep.laws`. */
  readonly laws: readonly LawRecord[];
  /** In the order of `Sweep.copies`. */
  readonly copies: readonly CopyRecord[];
  readonly sha256: Partial<Record<Operand, string>>;
  /** Null where the sweep asked for none. */
  readonly movement: PairRecord | null;
  /** Cyclic checksums of bytes that this sweep read in whole anyway, by `checksumKey`; not masked. */
  readonly crcs: ReadonlyMap<string, number>;
  /** Bytes read from files. */
  readonly bytesRead: number;
  /** Bytes of the base that were not read, because the head's have the digests of the ledger. */
  readonly bytesRecalled?: number;
  /** Has a stream that was read not the digests that came with it? */
  readonly isBaseAltered?: boolean;
}

/** Head and base may hold files of one name: the key tells them apart. */
export function checksumKey(
  origin: 'base' | 'head',
  stored: { file: string; offset: number },
): string {
  return `${origin}\0${stored.file}\0${stored.offset}`;
}

export interface EngineContext {
  readonly sources: { readonly head: Source; readonly base: Source | null };
  /** Checksums to compute in passing where a stream covers exactly their bytes. */
  readonly checksums: {
    readonly head: readonly StoredChecksum[];
    readonly base: readonly StoredChecksum[];
  };
  readonly signal?: AbortSignal;
  /** Bytes read so far, for progress. */
  readonly onBytes?: (bytes: number) => void;
  /**
   * Is shown every chunk, in order, before the engine computes with it: an engine that leaves a part
   * of its work to another one sees the bytes that the other reads. They are valid until it returns.
   * Not across processes.
   */
  readonly onChunk?: (chunk: Chunk, bytesOf: (operand: Operand) => Uint8Array) => void;
}

export interface Engine {
  /** Sweeps that may be under way together; absent: one at a time. */
  readonly inFlight?: number;
  /** Makes use of `Stream.digests`; absent: it does not. */
  readonly recalls?: boolean;
  /** Threads that compute; absent: one. */
  readonly threads?: number;
  readonly name: 'reference' | 'wasm' | 'tensorflow' | 'cuda';
  /** For people: `2 threads, SIMD`. */
  readonly device: string;
  /** What failed under it and was made up for, a sentence about the machine; null: nothing. */
  readonly warning?: string | null;
  run(sweep: Sweep, context: EngineContext): Promise<SweepResult>;
  close(): Promise<void>;
}
