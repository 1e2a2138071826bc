/**
 * The summary of types of at most 8 bits: codes counted in each of the 32 lanes say nearly
 * everything.
 */
import type { DType } from '../../checkpoint/dtype.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import { float32Bits } from '../float32-bits.ts';
import { isNarrow, minusZero, valuesOf } from '../narrow-types.ts';
import type { Chunk } from '../sweep-reader.ts';
import { byteTotalsAt, countersAt } from './layout.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import type { SummaryPart } from './sweep-part.ts';

const lanes = 32;
const tableSize = 256;

/** Up to here, looking at each element is quicker than clearing and reading 8,192 counters. */
const smallElements = 2048;

/** Elements after which the 32-bit counters are emptied. */
const countedElements = 2 ** 31;

export class ByteSummary implements StreamSummary {
  readonly isFinite = false;
  readonly #stream: WasmStream;
  readonly #record: SummaryRecord;
  readonly #values: Float64Array;
  readonly #counters: number;
  readonly #limit: number;
  /** Counts by code. */
  readonly #totals = new Float64Array(tableSize);
  /** Counts that have left the counters, by lane and code. */
  #taken: Float64Array | null = null;
  #inCounters = 0;
  #largest = -1;

  /** `limit`: elements after which counters are emptied, for tests. */
  constructor(stream: WasmStream, limit = countedElements) {
    this.#stream = stream;
    this.#record = emptySummaryRecord(stream.dtype);
    this.#values = valuesOf(stream.dtype);
    this.#counters = countersAt(stream.slot);
    this.#limit = limit;
    if (stream.span > smallElements) this.#clear();
  }

  add(chunk: Chunk): void {
    const { kernels, codes, dtype, span } = this.#stream;
    this.#record.elements += chunk.count;
    if (this.#values[0] === 0) {
      this.#record.zeroBlocks += kernels.zeroBlocks(codes, chunk.count, 255 & ~minusZero(dtype));
    }
    if (span <= smallElements) this.#addSmall(chunk);
    else this.#addLarge(chunk);
  }

  part(): SummaryPart {
    if (this.#stream.span > smallElements) this.#finishLarge();
    return {
      record: this.#record,
      largest: this.#largest,
      ...{ second: -1, least: Infinity, most: -Infinity, sums: [], squares: [] },
      counted: { codes: this.#values.map((_, code) => code), counts: this.#totals },
    };
  }

  #clear(): void {
    const start = this.#counters >>> 2;
    this.#stream.views.u32.fill(0, start, start + lanes * tableSize);
    this.#inCounters = 0;
  }

  #addSmall({ first, count }: Chunk): void {
    const { views, codes } = this.#stream;
    const record = this.#record;
    for (let i = 0; i < count; i++) {
      const code = views.u8[codes + i] as number;
      const size = Math.abs(this.#values[code] as number);
      this.#totals[code] = (this.#totals[code] as number) + 1;
      this.#takeLane(i % lanes, code, 1);
      if (!Number.isFinite(size)) {
        if (record.firstNonFinite < 0) record.firstNonFinite = first + i;
      } else if (size > this.#largest) {
        this.#largest = size;
        record.max1Index = first + i;
      }
    }
  }

  #addLarge({ first, count }: Chunk): void {
    const { kernels, codes } = this.#stream;
    kernels.countBytes(codes, count, this.#counters);
    kernels.addTables(this.#counters, byteTotalsAt);
    this.#findFirst(first, count);
    this.#inCounters += count;
    if (this.#inCounters >= this.#limit) this.#empty();
  }

  #finishLarge(): void {
    const taken = this.#empty();
    for (let i = 0; i < taken.length; i++) {
      const count = taken[i] as number;
      if (count === 0) continue;
      const code = i % tableSize;
      this.#takeLane(Math.floor(i / tableSize), code, count);
      this.#totals[code] = (this.#totals[code] as number) + count;
    }
  }

  /** Adds the counters to what has left them, and clears them. */
  #empty(): Float64Array {
    this.#taken ??= new Float64Array(lanes * tableSize);
    const { u32 } = this.#stream.views;
    const start = this.#counters >>> 2;
    for (let i = 0; i < lanes * tableSize; i++) {
      this.#taken[i] = (this.#taken[i] as number) + (u32[start + i] as number);
    }
    this.#clear();
    return this.#taken;
  }

  /** Looks for indices in a chunk only where its counts say that there is something new. */
  #findFirst(first: number, count: number): void {
    const { u32, u8 } = this.#stream.views;
    const { codes } = this.#stream;
    const bytes = u8.subarray(codes, codes + count);
    const record = this.#record;
    const broken: number[] = [];
    let largest = this.#largest;
    for (let code = 0; code < this.#values.length; code++) {
      if (u32[(byteTotalsAt >>> 2) + code] === 0) continue;
      const value = this.#values[code] as number;
      if (!Number.isFinite(value)) broken.push(code);
      else if (Math.abs(value) > largest) largest = Math.abs(value);
    }
    if (record.firstNonFinite < 0 && broken.length > 0) {
      record.firstNonFinite = first + firstOf(bytes, broken);
    }
    if (largest === this.#largest) return;
    this.#largest = largest;
    const sizes = Array.from(this.#values.keys()).filter(
      (code) => Math.abs(this.#values[code] as number) === largest,
    );
    record.max1Index = first + firstOf(bytes, sizes);
  }

  #takeLane(lane: number, code: number, count: number): void {
    const value = this.#values[code] as number;
    if (!Number.isFinite(value) || value === 0) return;
    const { laneOr, laneAnd, laneCount } = this.#record;
    const bits = float32Bits(value);
    laneOr[lane] = (laneOr[lane] as number) | bits;
    laneAnd[lane] = (laneAnd[lane] as number) & bits;
    laneCount[lane] = (laneCount[lane] as number) + count;
  }
}

/** Is the type counted by `ByteSummary`? */
export function isByte(dtype: DType): boolean {
  return isNarrow(dtype) && valuesOf(dtype).length <= tableSize;
}

/** The first position of any of `codes`, one of which is there. */
function firstOf(bytes: Uint8Array, codes: readonly number[]): number {
  const found = codes.map((code) => bytes.indexOf(code)).filter((at) => at >= 0);
  return Math.min(...found);
}
