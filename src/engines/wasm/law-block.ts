/**
 * Widens the streams that laws and the movement read, block by block, and says which elements laws
 * must skip.
 */
import type { DType } from '../../checkpoint/dtype.ts';
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import type { LineBlock } from '../judge.ts';
import { lawValueAt } from '../reference/decode.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import { columnAt, lawBlockElements, missingColumn, nothingSkipped, skipColumn } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';
import type { Views } from './views.ts';

const widenNames: Partial<
  Record<DType, 'widenFloat32' | 'widenFloat64' | 'widenBfloat16' | 'widenFloat16'>
> = {
  f32: 'widenFloat32',
  f64: 'widenFloat64',
  bf16: 'widenBfloat16',
  f16: 'widenFloat16',
};

interface Column {
  readonly operand: Operand;
  readonly stream: WasmStream;
  readonly at: number;
  readonly values: Float64Array;
  finite: boolean;
}

/** One block at a time of all streams that laws read. */
export class LawBlock {
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #columns = new Map<Operand, Column>();
  /** What laws that have no kernel are given; the words only where one of them asks for lines. */
  #block: LineBlock = { first: 0, count: 0, columns: {}, words: {} };
  /** First element of the block in its chunk. */
  #start = 0;

  constructor(
    { kernels, views }: { kernels: Kernels; views: Views },
    streams: ReadonlyMap<Operand, WasmStream>,
  ) {
    this.#kernels = kernels;
    this.#views = views;
    const columns: Partial<Record<Operand, Float64Array>> = {};
    for (const [operand, stream] of streams) {
      const at = columnAt(stream.slot);
      const values = views.f64.subarray(at >>> 3, (at >>> 3) + lawBlockElements);
      columns[operand] = values;
      this.#columns.set(operand, { operand, stream, at, values, finite: true });
    }
    this.#block = { ...this.#block, columns };
  }

  /** Widens elements `start` … of a chunk, at most a block; where `only` is given, of those operands. */
  load(chunk: Chunk, start: number, only?: ReadonlySet<Operand>): void {
    const count = Math.min(lawBlockElements, chunk.count - start);
    this.#start = start;
    this.#block = { ...this.#block, first: chunk.first + start, count };
    for (const column of this.#columns.values()) {
      const { operand, stream, at, values } = column;
      if (only && !only.has(operand)) continue;
      const name = widenNames[stream.dtype];
      if (name) {
        const data = stream.data + (start * dtypeBits[stream.dtype]) / 8;
        column.finite = this.#kernels[name](data, count, at) === 1;
        continue;
      }
      const view = new DataView(this.#views.buffer, stream.data);
      for (let i = 0; i < count; i++) values[i] = lawValueAt(stream.dtype, view, start + i);
      column.finite = false;
    }
  }

  get first(): number {
    return this.#block.first;
  }

  get count(): number {
    return this.#block.count;
  }

  get start(): number {
    return this.#start;
  }

  /** The block as laws see it that are called. */
  get values(): LineBlock {
    return this.#block;
  }

  /** The same with the words of float32 streams. */
  get lines(): LineBlock {
    const words: Partial<Record<Operand, Uint32Array>> = {};
    for (const { operand } of this.#columns.values()) {
      const at = this.wordsAt(operand);
      if (at === null) continue;
      words[operand] = this.#views.u32.subarray(at >>> 2, (at >>> 2) + this.count);
    }
    return { ...this.#block, words };
  }

  /** Address of an operand's column. */
  columnAt(operand: Operand): number {
    return this.#columns.get(operand)?.at ?? missingColumn;
  }

  /**
   * Address of the block's float32 words of an operand; null where it is missing or of another
   * type.
   */
  wordsAt(operand: Operand): number | null {
    const stream = this.#columns.get(operand)?.stream;
    return stream?.dtype === 'f32' ? stream.data + 4 * this.#start : null;
  }

  /**
   * Prepares the question which elements of a block a law skips: the answer is the address of a
   * column that is 0 where all its present operands are finite and NaN elsewhere.
   */
  skipperOf(operands: readonly Operand[]): () => number {
    const columns = operands.flatMap((operand) => this.#columns.get(operand) ?? []);
    return () => {
      for (const column of columns) if (!column.finite) return this.#mark(columns);
      return nothingSkipped;
    };
  }

  #mark(columns: readonly Column[]): number {
    for (const [i, { at }] of columns.entries()) {
      this.#kernels.markNonFinite(at, this.count, skipColumn, i === 0 ? 1 : 0);
    }
    return skipColumn;
  }
}

/** Fills the columns that belong to no stream; once, when the memory is new. */
export function writeFixedColumns(views: Views): void {
  const fill = (at: number, value: number) =>
    views.f64.fill(value, at >>> 3, (at >>> 3) + lawBlockElements);
  fill(missingColumn, Number.NaN);
  fill(nothingSkipped, 0);
}
