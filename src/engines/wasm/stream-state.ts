/** The state that a kernel fills for one stream, and how a chunk's share of it joins the record. */
import type { SummaryRecord } from '../../records/summary.ts';
import type { Chunk } from '../sweep-reader.ts';
import { freshStateAt, state, stateAt } from './layout.ts';
import type { Views } from './views.ts';

const lanes = 32;
const octaves = 256;

/** Writes the fresh state that `StreamState` copies; once, when the memory is new. */
export function writeFreshState(views: Views): void {
  views.f64[(freshStateAt + state.least) >>> 3] = Infinity;
  views.f64[(freshStateAt + state.most) >>> 3] = -Infinity;
  views.i32[(freshStateAt + state.max1Index) >>> 2] = -1;
  views.i32[(freshStateAt + state.firstNonFinite) >>> 2] = -1;
  const and = (freshStateAt + state.laneAnd) >>> 2;
  views.i32.fill(-1, and, and + lanes);
}

export class StreamState {
  readonly at: number;
  readonly #views: Views;

  constructor(views: Views, slot: number) {
    this.#views = views;
    this.at = stateAt(slot);
    views.f64[(this.at + state.max1) >>> 3] = -1;
    views.f64[(this.at + state.max2) >>> 3] = -1;
  }

  /** Call before the kernels see a chunk. The two largest go on. */
  begin(): void {
    const from = freshStateAt + state.least;
    this.#views.u8.copyWithin(this.at + state.least, from, freshStateAt + state.end);
  }

  real(offset: number): number {
    return this.#views.real(this.at + offset);
  }

  /** Adds what kernels counted in this chunk to the record. */
  drain(record: SummaryRecord, { first, count }: Chunk): void {
    const uint = (offset: number) => this.#views.uint(this.at + offset);
    record.elements += count;
    record.nan += uint(state.nan);
    record.positiveInfinity += uint(state.positiveInfinity);
    record.negativeInfinity += uint(state.negativeInfinity);
    record.zeros += uint(state.zeros);
    record.denormals += uint(state.denormals);
    record.zeroBlocks += uint(state.zeroBlocks);
    const largest = this.#views.int(this.at + state.max1Index);
    if (largest >= 0) record.max1Index = first + largest;
    const broken = this.#views.int(this.at + state.firstNonFinite);
    if (record.firstNonFinite < 0 && broken >= 0) record.firstNonFinite = first + broken;
  }

  /** Adds the four octave tables to the record. */
  drainOctaves(record: SummaryRecord): void {
    const { u32 } = this.#views;
    const table = (this.at + state.octaves) >>> 2;
    for (let i = 0; i < octaves; i++) {
      const at = table + i;
      const low = (u32[at] as number) + (u32[at + octaves] as number);
      const high = (u32[at + 2 * octaves] as number) + (u32[at + 3 * octaves] as number);
      record.octaves[i] = (record.octaves[i] as number) + low + high;
    }
  }

  /** Adds the lanes to the record. */
  drainLanes({ laneOr, laneAnd, laneCount }: SummaryRecord): void {
    const { u32 } = this.#views;
    const or = (this.at + state.laneOr) >>> 2;
    const and = (this.at + state.laneAnd) >>> 2;
    const count = (this.at + state.laneCount) >>> 2;
    for (let lane = 0; lane < lanes; lane++) {
      laneOr[lane] = (laneOr[lane] as number) | (u32[or + lane] as number);
      laneAnd[lane] = (laneAnd[lane] as number) & (u32[and + lane] as number);
      laneCount[lane] = (laneCount[lane] as number) + (u32[count + lane] as number);
    }
  }
}
