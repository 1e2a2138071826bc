/** Consecutive float32 words that kernels judge in one call, without widening them. */
import type { Operand } from '../../laws/law.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import { lawBlockElements } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';
import type { Views } from './views.ts';

export class LawSpan {
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #streams: ReadonlyMap<Operand, WasmStream>;
  /** What was found of the span at hand. */
  readonly #finite = new Map<Operand, boolean>();
  #known: ReadonlySet<Operand> = new Set();
  #chunk: Chunk = { first: 0, count: 0 };
  #start = 0;
  #count = 0;

  constructor(
    { kernels, views }: { kernels: Kernels; views: Views },
    streams: ReadonlyMap<Operand, WasmStream>,
  ) {
    this.#kernels = kernels;
    this.#views = views;
    this.#streams = streams;
  }

  /** Begins a chunk, of which these streams are known to be finite. */
  begin(finite: ReadonlySet<Operand>): void {
    this.#known = finite;
  }

  /** Takes `count` elements from element `start` of the chunk. */
  load(chunk: Chunk, start: number, count: number): void {
    this.#chunk = chunk;
    this.#start = start;
    this.#count = count;
    this.#finite.clear();
  }

  /** The first element, counted in the chunk. */
  get start(): number {
    return this.#start;
  }

  get count(): number {
    return this.#count;
  }

  /** The chunk's first element in the tensor. */
  get origin(): number {
    return this.#chunk.first;
  }

  /** Is it whole blocks? Only the last span of a tensor may not be. */
  get isWhole(): boolean {
    return this.#count % lawBlockElements === 0;
  }

  has(operand: Operand): boolean {
    return this.#streams.has(operand);
  }

  /** Are these streams there, and of float32? */
  hasWords(operands: readonly Operand[]): boolean {
    return operands.every((operand) => this.#streams.get(operand)?.dtype === 'f32');
  }

  /** Address of the span's words; 0 where there is no such stream. */
  wordsAt(operand: Operand): number {
    const stream = this.#streams.get(operand);
    return stream ? stream.data + 4 * this.#start : 0;
  }

  /** Is every element of this float32 stream finite? */
  isFinite(operand: Operand): boolean {
    if (this.#known.has(operand)) return true;
    const known = this.#finite.get(operand);
    if (known !== undefined) return known;
    const found = this.#kernels.isFiniteFloat32(this.wordsAt(operand), this.#count) === 1;
    this.#finite.set(operand, found);
    return found;
  }

  /** Values of one element of the chunk, NaN where there is no stream. */
  elementAt(operands: readonly Operand[], at: number): number[] {
    return operands.map((operand) => {
      const stream = this.#streams.get(operand);
      return stream ? this.#views.data.getFloat32(stream.data + 4 * at, true) : Number.NaN;
    });
  }
}
