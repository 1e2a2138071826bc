/** The summary of complex types: counts by element and the sum of |z|². */
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import { pageElements } from '../../records/grid.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import type { Chunk } from '../sweep-reader.ts';
import { state } from './layout.ts';
import { StreamState } from './stream-state.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import type { SummaryPart } from './sweep-part.ts';

const kernelNames = {
  c32: 'summariseComplex32',
  c64: 'summariseComplex64',
  c128: 'summariseComplex128',
} as const;

export type ComplexType = keyof typeof kernelNames;

export function isComplexType(dtype: DType): dtype is ComplexType {
  return Object.hasOwn(kernelNames, dtype);
}

export class ComplexSummary implements StreamSummary {
  readonly isFinite = false;
  readonly #stream: WasmStream;
  readonly #dtype: ComplexType;
  readonly #state: StreamState;
  readonly #record: SummaryRecord;
  readonly #squares: number[] = [];

  constructor(stream: WasmStream, dtype: ComplexType) {
    this.#stream = stream;
    this.#dtype = dtype;
    this.#state = new StreamState(stream.views, stream.slot);
    this.#record = emptySummaryRecord(dtype);
  }

  add(chunk: Chunk): void {
    const { kernels, data } = this.#stream;
    const bits = dtypeBits[this.#dtype];
    const page = pageElements(bits);
    this.#state.begin();
    for (let first = 0; first < chunk.count; first += page) {
      const count = Math.min(page, chunk.count - first);
      const at = data + (first * bits) / 8;
      kernels[kernelNames[this.#dtype]](at, count, this.#state.at, first);
      this.#squares.push(this.#state.real(state.pageSquares));
    }
    this.#state.drain(this.#record, chunk);
    this.#state.drainLanes(this.#record);
  }

  part(): SummaryPart {
    return {
      ...{ record: this.#record, largest: -1, second: -1, least: Infinity, most: -Infinity },
      ...{ sums: [], squares: this.#squares, counted: null },
    };
  }
}
