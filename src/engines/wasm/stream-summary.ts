/** What the summary of one stream needs and does, whatever its type. */
import type { DType } from '../../checkpoint/dtype.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import type { SummaryPart } from './sweep-part.ts';
import type { Views } from './views.ts';

/** One stream of a sweep in memory. */
export interface WasmStream {
  readonly kernels: Kernels;
  readonly views: Views;
  readonly slot: number;
  readonly dtype: DType;
  /** Elements of the whole tensor. */
  readonly elements: number;
  /** Elements of the part that this memory will see. */
  readonly span: number;
  /** Address of the chunk's logical bytes. */
  readonly data: number;
  /** Address of the chunk's codes, a byte each, for types smaller than a byte; else `data`. */
  readonly codes: number;
}

export interface StreamSummary {
  /** Takes the chunk that lies in memory. */
  add(chunk: Chunk): void;
  /** Was every element of the last chunk finite? False where that is not known. */
  readonly isFinite: boolean;
  /** What was found, but for digests; once, after the last chunk. */
  part(): SummaryPart;
}
