/**
 * The summary of float32, float64 and integers of 32 and 64 bits: kernels sum pages, the host joins
 * them.
 */
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import { octaveStride, pageElements, smallTensorBytes } from '../../records/grid.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import type { Detail } from '../engine.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import { state } from './layout.ts';
import { StreamState } from './stream-state.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import type { SummaryPart } from './sweep-part.ts';

const kernelNames = {
  f32: { summarise: 'summariseFloat32', squares: 'squaresFloat32' },
  f64: { summarise: 'summariseFloat64', squares: 'squaresFloat64' },
  i32: { summarise: 'summariseInt32', squares: 'squaresInt32' },
  u32: { summarise: 'summariseUint32', squares: 'squaresUint32' },
  i64: { summarise: 'summariseInt64', squares: 'squaresInt64' },
  u64: { summarise: 'summariseUint64', squares: 'squaresUint64' },
} as const;

export type WideType = keyof typeof kernelNames;

export function isWide(dtype: DType): dtype is WideType {
  return Object.hasOwn(kernelNames, dtype);
}

export class WideSummary implements StreamSummary {
  readonly #stream: WasmStream;
  readonly #dtype: WideType;
  readonly #summarise: Kernels['summariseFloat32'];
  readonly #squares: Kernels['squaresFloat32'];
  readonly #state: StreamState;
  readonly #record: SummaryRecord;
  readonly #sums: number[] = [];
  readonly #squareSums: number[] = [];
  readonly #pageElements: number;
  readonly #hasLanes: boolean;
  readonly #hasOctaves: boolean;
  #least: number | bigint = Infinity;
  #most: number | bigint = -Infinity;

  constructor(stream: WasmStream, dtype: WideType, detail: Detail = 'history') {
    const bits = dtypeBits[dtype];
    this.#stream = stream;
    this.#dtype = dtype;
    this.#summarise = stream.kernels[kernelNames[dtype].summarise];
    this.#squares = stream.kernels[kernelNames[dtype].squares];
    this.#state = new StreamState(stream.views, stream.slot);
    this.#record = emptySummaryRecord(dtype);
    this.#record.octavesExact = (stream.elements * bits) / 8 <= smallTensorBytes;
    this.#pageElements = pageElements(bits);
    // Of other types nothing is saved.
    this.#hasLanes = detail !== 'numbers' || dtype !== 'f32';
    this.#hasOctaves = detail === 'history' || dtype !== 'f32';
  }

  add(chunk: Chunk): void {
    const stride = this.#record.octavesExact ? 1 : octaveStride;
    const octaves = this.#hasOctaves ? stride : 0;
    this.#state.begin();
    this.#beginIntegers();
    for (const page of this.#pagesOf(chunk)) {
      const { data, count, first } = page;
      this.#summarise(data, count, this.#state.at, first, octaves, this.#hasLanes ? 1 : 0);
      this.#sums.push(this.#state.real(state.pageSum));
      this.#squareSums.push(this.#state.real(state.pageSquares));
    }
    this.#state.drain(this.#record, chunk);
    if (this.#hasLanes) this.#state.drainLanes(this.#record);
    if (this.#hasOctaves) this.#state.drainOctaves(this.#record);
    this.#takeExtremes();
  }

  get isFinite(): boolean {
    const at = this.#state.at + state.firstNonFinite;
    return this.#stream.views.int(at) < 0;
  }

  part(): SummaryPart {
    // No finite float32 has this exponent: the kernel counts blocks without looking.
    if (this.#dtype === 'f32') this.#record.octaves[255] = 0;
    return {
      record: this.#record,
      largest: this.#state.real(state.max1),
      second: this.#state.real(state.max2),
      least: this.#least,
      most: this.#most,
      sums: this.#sums,
      squares: this.#squareSums,
      counted: null,
    };
  }

  /** Σ(x · scale − centre)² of every page of a chunk. */
  squaresOf(chunk: Chunk, { scale, centre }: { scale: number; centre: number }): number[] {
    const squares: number[] = [];
    for (const page of this.#pagesOf(chunk)) {
      this.#squares(page.data, page.count, this.#state.at, scale, centre);
      squares.push(this.#state.real(state.pageSquares));
    }
    return squares;
  }

  /** The pages of a chunk: address, elements, first element of the chunk. */
  *#pagesOf({ count }: Chunk): Generator<{ data: number; count: number; first: number }> {
    const bytes = dtypeBits[this.#dtype] / 8;
    for (let first = 0; first < count; first += this.#pageElements) {
      const data = this.#stream.data + first * bytes;
      yield { data, count: Math.min(this.#pageElements, count - first), first };
    }
  }

  #beginIntegers(): void {
    const { i64, u64 } = this.#stream.views;
    const least = (this.#state.at + state.leastInteger) >>> 3;
    const most = (this.#state.at + state.mostInteger) >>> 3;
    if (this.#dtype === 'i64') {
      i64[least] = 2n ** 63n - 1n;
      i64[most] = -(2n ** 63n);
    } else if (this.#dtype === 'u64') {
      u64[least] = 2n ** 64n - 1n;
      u64[most] = 0n;
    }
  }

  #takeExtremes(): void {
    const { i64, u64 } = this.#stream.views;
    let least: number | bigint = this.#state.real(state.least);
    let most: number | bigint = this.#state.real(state.most);
    if (this.#dtype === 'i64' || this.#dtype === 'u64') {
      const exact = this.#dtype === 'i64' ? i64 : u64;
      least = exact[(this.#state.at + state.leastInteger) >>> 3] as bigint;
      most = exact[(this.#state.at + state.mostInteger) >>> 3] as bigint;
    }
    if (least < this.#least) this.#least = least;
    if (most > this.#most) this.#most = most;
  }
}
