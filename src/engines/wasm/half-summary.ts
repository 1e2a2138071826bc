/**
 * The summary of 16-bit types: the kernel counts codes and looks at lanes, the host does the rest.
 */
import type { DType } from '../../checkpoint/dtype.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { ValueCounts } from '../value-counts.ts';
import type { Kernels } from './kernels.ts';
import { codesAt, counterBytes, countersAt, countsAt, state } from './layout.ts';
import { StreamState } from './stream-state.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import type { SummaryPart } from './sweep-part.ts';

const kernelNames = {
  bf16: 'scanBfloat16',
  f16: 'scanFloat16',
  i16: 'scanInt16',
  u16: 'scanUint16',
} as const;

export type HalfType = keyof typeof kernelNames;

export function isHalf(dtype: DType): dtype is HalfType {
  return Object.hasOwn(kernelNames, dtype);
}

/** Up to here, sorting the codes is quicker than clearing and reading 65,536 counters. */
const sortedElements = 2048;

/** Elements after which the 32-bit counters are emptied. */
const countedElements = 2 ** 31;

export class HalfSummary implements StreamSummary {
  readonly isFinite = false;
  readonly #stream: WasmStream;
  readonly #scan: Kernels['scanBfloat16'];
  readonly #state: StreamState;
  readonly #record: SummaryRecord;
  readonly #counters: number;
  readonly #limit: number;
  /** Elements that will be seen. */
  readonly #span: number;
  /** Counts that have left the counters, by code. */
  #taken: Float64Array | null = null;
  #inCounters = 0;
  #counted: ValueCounts = { codes: [], counts: [] };

  /** `limit`: elements after which counters are emptied, for tests. */
  constructor(stream: WasmStream, dtype: HalfType, limit = countedElements) {
    this.#stream = stream;
    this.#scan = stream.kernels[kernelNames[dtype]];
    this.#state = new StreamState(stream.views, stream.slot);
    this.#record = emptySummaryRecord(dtype);
    this.#counters = countersAt(stream.slot);
    this.#limit = limit;
    this.#span = stream.span;
    // An abandoned sweep may have left counts.
    if (this.#span <= sortedElements) return;
    stream.views.u8.fill(0, this.#counters, this.#counters + counterBytes);
  }

  add(chunk: Chunk): void {
    const { kernels, data } = this.#stream;
    this.#state.begin();
    this.#scan(data, chunk.count, this.#state.at, 0);
    this.#state.drain(this.#record, chunk);
    this.#state.drainLanes(this.#record);
    if (this.#span <= sortedElements) {
      this.#counted = this.#sortedCounts(chunk.count);
      return;
    }
    kernels.countHalf(data, chunk.count, this.#counters);
    this.#inCounters += chunk.count;
    if (this.#inCounters >= this.#limit) this.#empty();
  }

  part(): SummaryPart {
    if (this.#span > sortedElements) this.#counted = this.#allCounts();
    return {
      record: this.#record,
      largest: this.#state.real(state.max1),
      ...{ second: -1, least: Infinity, most: -Infinity, sums: [], squares: [] },
      counted: this.#counted,
    };
  }

  #sortedCounts(count: number): ValueCounts {
    const start = this.#stream.data >>> 1;
    const sorted = this.#stream.views.u16.slice(start, start + count).sort();
    const codes: number[] = [];
    const counts: number[] = [];
    for (const code of sorted) {
      if (code !== codes.at(-1)) {
        codes.push(code);
        counts.push(0);
      }
      counts[counts.length - 1] = (counts.at(-1) as number) + 1;
    }
    return { codes, counts };
  }

  /** The counters' codes and counts; they are 0 after. */
  #takeCounts(): { codes: Uint16Array; counts: Uint32Array } {
    const { kernels, views } = this.#stream;
    const found = kernels.takeCounts(this.#counters, codesAt, countsAt);
    this.#inCounters = 0;
    return {
      codes: views.u16.slice(codesAt >>> 1, (codesAt >>> 1) + found),
      counts: views.u32.slice(countsAt >>> 2, (countsAt >>> 2) + found),
    };
  }

  #empty(): void {
    this.#taken ??= new Float64Array(65_536);
    const { codes, counts } = this.#takeCounts();
    for (const [i, code] of codes.entries()) {
      this.#taken[code] = (this.#taken[code] as number) + (counts[i] as number);
    }
  }

  #allCounts(): ValueCounts {
    if (!this.#taken) return this.#takeCounts();
    this.#empty();
    return { codes: Uint16Array.from({ length: 65_536 }, (_, code) => code), counts: this.#taken };
  }
}
