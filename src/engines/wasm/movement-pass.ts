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

/** What the blocks of one chunk leave: ΣΔ² of whole blocks, and of rows that ended. */
interface MoveTables {
  readonly blocks: number[];
  readonly rows: number[];
}

export class MovementPass {
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #block: LawBlock;
  readonly #changes: ChangeCounter;
  readonly #part: MovementPart;
  readonly #inherited: number;
  readonly #rowElements: number;
  readonly #octaveStride: number;
  readonly #has: { readonly gain: boolean; readonly ratio: boolean };

  constructor(
    { kernels, views }: { readonly kernels: Kernels; readonly views: Views },
    { rows, inherited }: MovementPlan,
    streams: Streams,
  ) {
    const read: readonly Operand[] = ['wA', 'wB', 'mB', 'vA', 'vB'];
    const elements = streams.get('wB')?.elements ?? 0;
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

  add(chunk: Chunk): void {
    const table = (movementAt + state.octaves) >>> 2;
    this.#views.i32[(movementAt + state.max1Index) >>> 2] = -1;
    this.#views.u32.fill(0, table, table + 4 * octaves);
    this.#changes.addChunk(chunk);
    const page = { first: chunk.first, squares: 0, gained: 0, ratios: 0 };
    const energies: MoveTables = { blocks: [], rows: [] };
    this.#write(movement.rowSum, 0);
    for (let start = 0; start < chunk.count; start += lawBlockElements) {
      this.#block.load(chunk, start);
      this.#changes.addBlock();
      page.squares += this.#addDeltas(energies);
      if (this.#has.gain) page.gained += this.#gainBlock();
      if (this.#has.ratio) page.ratios += this.#ratioBlock();
    }
    if (this.#rowElements > 0 && (chunk.first + chunk.count) % this.#rowElements !== 0) {
      energies.rows.push(this.#views.real(movementAt + movement.rowSum));
    }
    this.#part.pages.push({
      ...page,
      blocks: Float64Array.from(energies.blocks),
      rows: Float64Array.from(energies.rows),
    });
    const largest = this.#views.int(movementAt + state.max1Index);
    if (largest >= 0) this.#part.deltaMax1Index = chunk.first + largest;
    this.#drainOctaves();
  }

  finish(): MovementPart {
    const part = this.#part;
    part.changed = this.#changes.count();
    part.deltaMax1 = Math.max(0, this.#views.real(movementAt + state.max1));
    part.deltaMax2 = Math.max(0, this.#views.real(movementAt + state.max2));
    // No finite Δ has this exponent: the kernel counts without looking.
    part.octaves[255] = 0;
    return part;
  }

  #write(offset: number, value: number): void {
    this.#views.f64[(movementAt + offset) >>> 3] = value;
  }

  /** Everything about Δ of the block that is loaded; returns ΣΔ². */
  #addDeltas({ blocks, rows }: MoveTables): number {
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
    const ended = this.#kernels.sumRows(movementAt, count, nearest, row);
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
