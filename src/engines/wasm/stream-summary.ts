/** What the summary of one stream needs and does, whatever its type. */
import type { DType } from '../../checkpoint/dtype.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import type { Views } from './views.ts';

/** One stream of a sweep in memory. */
export interface WasmStream {
  readonly kernels: Kernels;
  readonly views: Views;
  readonly slot: number;
  readonly dtype: DType;
  /** Elements of the whole tensor. */
  readonly elements: number;
  /** Address of the chunk's logical bytes. */
  readonly data: number;
  /** Address of the chunk's codes, a byte each, for types smaller than a byte; else `data`. */
  readonly codes: number;
}

export interface StreamSummary {
  /** Takes the chunk that lies in memory. */
  add(chunk: Chunk): void;
  /** The record but for digests and for squares that need a second sweep. */
  finish(): SummaryRecord;
  /**
   * Σ(x · scale − centre)² from `chunks`, which come to memory as they are asked for; after
   * `finish`.
   */
  measureSquares(
    chunks: AsyncIterable<Chunk>,
    about: { readonly scale: number; readonly centre: number },
  ): Promise<number>;
}
