/** How the weights of one sweep moved: kernels over widened blocks, whatever the stored types are. */
import type { Operand } from '../../laws/law.ts';
import { blockElements } from '../../records/grid.ts';
import { deltaOctaveStride, elementsOfRow } from '../../records/pair-record.ts';
import type { MovementPlan } from '../engine.ts';
import type { Chunk } from '../sweep-reader.ts';
import { CopyCheck } from './copy-pass.ts';
import type { Kernels } from './kernels.ts';
import { LawBlock } from './law-block.ts';
import { lawBlockElements, movement, movementAt, state } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';
import type { MovementPart } from './sweep-part.ts';
import type { Views } from './views.ts';

/** The widest row that a kernel is told of: more than a block, so that none ends too soon. */
const widestRow = 2 * blockElements;

/** The same where many blocks are told of in one call. */
const farRow = 2 ** 30;

const octaves = 256;

type Streams = ReadonlyMap<Operand, WasmStream>;

/** Counts elements whose bits differ, of two types: whose values differ. */
interface ChangeCounter {
  addChunk(chunk: Chunk): void;
  addBlock(): void;
  count(): number;
}

function changeCounter(streams: Streams, block: LawBlock): ChangeCounter {
  const left = streams.get('wA');
  const right = streams.get('wB');
  if (!left || !right) throw new Error('a movement without weights at both ends');
  if (left.dtype === right.dtype) {
    const check = new CopyCheck({ relation: 'equal', left: 'wA', right: 'wB' }, left, right);
    return {
      addChunk: (chunk) => check.add(chunk),
      addBlock: () => {},
      count: () => check.record.different,
    };
  }
  let changed = 0;
  const addBlock = () => {
    const { wA, wB } = block.values.columns;
    for (let i = 0; i < block.count; i++) if (wA?.[i] !== wB?.[i]) changed += 1;
  };
  return { addChunk: () => {}, addBlock, count: () => changed };
}

/** What the blocks of one chunk leave: sums, and ΣΔ² of whole blocks and of rows. */
interface Page {
  squares: number;
  gained: number;
  ratios: number;
  readonly blocks: number[];
  readonly rows: number[];
}

const movedOperands: readonly Operand[] = ['wA', 'wB', 'mB', 'vA', 'vB'];

export class MovementPass {
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #block: LawBlock;
  readonly #changes: ChangeCounter;
  readonly #part: MovementPart;
  readonly #inherited: number;
  readonly #rowElements: number;
  readonly #octaveStride: number;
  readonly #streams: Streams;
  /** Everything that is read is float32. */
  readonly #float32: boolean;
  #chunk: Chunk = { first: 0, count: 0 };
  #page: Page = { squares: 0, gained: 0, ratios: 0, blocks: [], rows: [] };
  readonly #has: { readonly gain: boolean; readonly ratio: boolean };

  constructor(
    { kernels, views }: { readonly kernels: Kernels; readonly views: Views },
    { rows, inherited }: MovementPlan,
    streams: Streams,
  ) {
    const read = movedOperands.filter((operand) => streams.has(operand));
    const elements = streams.get('wB')?.elements ?? 0;
    this.#streams = streams;
    this.#float32 = read.every((operand) => streams.get(operand)?.dtype === 'f32');
    this.#kernels = kernels;
    this.#views = views;
    this.#block = new LawBlock(
      { kernels, views },
      new Map([...streams].filter(([operand]) => read.includes(operand))),
    );
    this.#changes = changeCounter(streams, this.#block);
    this.#part = {
      ...{ changed: 0, deltaMax1: 0, deltaMax1Index: -1, deltaMax2: 0, ratioCount: 0 },
      ...{ octaves: new Float64Array(octaves), pages: [] },
    };
    this.#inherited = inherited;
    this.#rowElements = elementsOfRow({ elements, rows });
    this.#octaveStride = deltaOctaveStride(elements);
    const hasSecond = streams.has('vB');
    this.#has = { gain: hasSecond && streams.has('vA'), ratio: hasSecond && streams.has('mB') };
    for (const offset of [state.max1, state.max2]) this.#write(offset, -1);
    this.#write(movement.rowSum, 0);
  }

  /** Begins a chunk; its spans follow in order. */
  begin(chunk: Chunk): void {
    const table = (movementAt + state.octaves) >>> 2;
    this.#chunk = chunk;
    this.#views.i32[(movementAt + state.max1Index) >>> 2] = -1;
    this.#views.u32[(movementAt + movement.changed) >>> 2] = 0;
    this.#views.u32.fill(0, table, table + 4 * octaves);
    if (!this.#float32) this.#changes.addChunk(chunk);
    this.#page = { squares: 0, gained: 0, ratios: 0, blocks: [], rows: [] };
    this.#write(movement.rowSum, 0);
  }

  /** Takes `count` elements from element `start` of the chunk, a block's start. */
  addSpan(start: number, count: number): void {
    const whole = this.#float32 ? count - (count % blockElements) : 0;
    if (whole > 0) this.#addWords(start, whole);
    for (let at = start + whole; at < start + count; at += lawBlockElements) {
      this.#block.load(this.#chunk, at);
      if (this.#float32) this.#countChanges(at, start + count);
      else this.#changes.addBlock();
      this.#page.squares += this.#addDeltas(this.#page);
      if (this.#has.gain) this.#page.gained += this.#gainBlock();
      if (this.#has.ratio) this.#page.ratios += this.#ratioBlock();
    }
  }

  /** Ends the chunk. */
  end(): void {
    const { first, count } = this.#chunk;
    const { blocks, rows, ...sums } = this.#page;
    if (this.#rowElements > 0 && (first + count) % this.#rowElements !== 0) {
      rows.push(this.#views.real(movementAt + movement.rowSum));
    }
    const tables = { blocks: Float64Array.from(blocks), rows: Float64Array.from(rows) };
    this.#part.pages.push({ first, ...sums, ...tables });
    const largest = this.#views.int(movementAt + state.max1Index);
    if (largest >= 0) this.#part.deltaMax1Index = first + largest;
    this.#part.changed += this.#views.uint(movementAt + movement.changed);
    this.#drainOctaves();
  }

  finish(): MovementPart {
    const part = this.#part;
    if (!this.#float32) part.changed = this.#changes.count();
    part.deltaMax1 = Math.max(0, this.#views.real(movementAt + state.max1));
    part.deltaMax2 = Math.max(0, this.#views.real(movementAt + state.max2));
    // No finite Δ has this exponent: the kernel counts without looking.
    part.octaves[255] = 0;
    return part;
  }

  /** Whole blocks of float32 words, without widening them. */
  #addWords(start: number, count: number): void {
    const kernels = this.#kernels;
    const blocks = count / blockElements;
    const words = (operand: Operand) => (this.#streams.get(operand)?.data ?? 0) + 4 * start;
    const first = this.#chunk.first + start;
    const rest = this.#rowElements > 0 ? this.#rowElements - (first % this.#rowElements) : 0;
    const [left, row] = [Math.min(rest, farRow), Math.min(this.#rowElements, farRow)];
    const stride = this.#octaveStride;
    const { squares, rows } = this.#page;
    const weights = [words('wA'), words('wB')] as const;
    const ended = kernels.moveFloat32(...weights, blocks, movementAt, start, stride, left, row);
    this.#page.squares = squares;
    const sums = (movementAt + movement.blockSquares) >>> 3;
    for (let i = 0; i < blocks; i++) {
      const square = this.#views.f64[sums + i] as number;
      this.#page.squares += square;
      this.#page.blocks.push(square);
    }
    this.#takeRows(rows, ended);
    const [vA, vB, mB] = [words('vA'), words('vB'), words('mB')];
    const page = this.#page;
    if (this.#has.gain) {
      page.gained = kernels.gainFloat32(vA, vB, blocks, movementAt, this.#inherited, page.gained);
    }
    if (!this.#has.ratio) return;
    page.ratios = kernels.ratioFloat32(mB, vB, blocks, movementAt, page.ratios);
    this.#part.ratioCount += this.#views.uint(movementAt + movement.ratioCount);
  }

  /** Counts elements of the last, partial block whose words differ. */
  #countChanges(from: number, to: number): void {
    const [before = 0, after = 0] = (['wA', 'wB'] as const).map(
      (operand) => (this.#streams.get(operand)?.data ?? 0) >>> 2,
    );
    const { u32 } = this.#views;
    for (let i = from; i < to; i++) if (u32[before + i] !== u32[after + i]) this.#part.changed += 1;
  }

  #write(offset: number, value: number): void {
    this.#views.f64[(movementAt + offset) >>> 3] = value;
  }

  /** Everything about Δ of the block that is loaded; returns ΣΔ². */
  #addDeltas({ blocks, rows }: Page): number {
    const { first, count, start } = this.#block;
    const block = first / blockElements;
    const before = this.#block.columnAt('wA');
    const after = this.#block.columnAt('wB');
    const squares = this.#kernels.moveBlock(before, after, count, movementAt, start);
    if (block % this.#octaveStride === 0) this.#kernels.countDeltas(movementAt, count);
    if (count === blockElements) blocks.push(squares);
    if (this.#rowElements > 0) this.#addRows(first, count, rows);
    return squares;
  }

  #addRows(first: number, count: number, rows: number[]): void {
    const left = this.#rowElements - (first % this.#rowElements);
    const widths = [left, this.#rowElements].map((width) => Math.min(width, widestRow));
    const [nearest = 0, row = 0] = widths;
    this.#takeRows(rows, this.#kernels.sumRows(movementAt, count, nearest, row));
  }

  #takeRows(rows: number[], ended: number): void {
    const from = (movementAt + movement.rowSums) >>> 3;
    for (let i = 0; i < ended; i++) rows.push(this.#views.f64[from + i] as number);
  }

  #gainBlock(): number {
    const block = this.#block;
    const [before, after] = [block.columnAt('vA'), block.columnAt('vB')];
    return this.#kernels.gainBlock(before, after, block.count, movementAt, this.#inherited);
  }

  #ratioBlock(): number {
    const block = this.#block;
    const [first, second] = [block.columnAt('mB'), block.columnAt('vB')];
    const ratios = this.#kernels.ratioBlock(first, second, block.count, movementAt);
    this.#part.ratioCount += this.#views.uint(movementAt + movement.ratioCount);
    return ratios;
  }

  #drainOctaves(): void {
    const deltaOctaves = this.#part.octaves;
    const table = (movementAt + state.octaves) >>> 2;
    for (let i = 0; i < 4 * octaves; i++) {
      const octave = i % octaves;
      const found = this.#views.u32[table + i] as number;
      deltaOctaves[octave] = (deltaOctaves[octave] as number) + found;
    }
  }
}
