/** The movement of the reference engine: every field from its definition, element by element. */
import type { DType } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { blockElements, pageElements, sumChains } from '../../records/grid.ts';
import { combineChains } from '../../records/grid-sum.ts';
import {
  deltaOctaveStride,
  elementsOfRow,
  emptyPairRecord,
  type PairRecord,
} from '../../records/pair-record.ts';
import type { MovementPlan, Sweep } from '../engine.ts';
import { float32Bits } from '../float32-bits.ts';
import type { Chunk } from '../sweep-reader.ts';
import { BlockSums } from './block-sums.ts';
import { bitsAt, lawValueAt } from './decode.ts';

/** The chunk's logical bytes of the streams that movement reads. */
export type MovementViews = Partial<Record<Operand, DataView>>;

interface Side {
  readonly dtype: DType;
  readonly view: DataView;
}

/** Δ is a float32 whatever the weights are. */
const deltaBits = 32;

function isChanged(before: Side, after: Side, i: number): boolean {
  if (before.dtype === after.dtype) {
    return bitsAt(before.dtype, before.view, i) !== bitsAt(after.dtype, after.view, i);
  }
  return lawValueAt(before.dtype, before.view, i) !== lawValueAt(after.dtype, after.view, i);
}

export class ReferenceMovement {
  readonly operands: readonly Operand[];
  readonly #sweep: Sweep;
  readonly #inherited: number;
  readonly #record: PairRecord;
  readonly #rowElements: number;
  readonly #octaveStride: number;
  readonly #squares = new BlockSums(pageElements(deltaBits));
  readonly #gained = new BlockSums(pageElements(deltaBits));
  readonly #ratios = new BlockSums(pageElements(deltaBits));
  #blockSquares = new BlockSums(blockElements);
  #ratioCount = 0;
  /** What the row at hand has from the block at hand, and from the page's blocks before. */
  readonly #rowChains = new Float64Array(sumChains);
  #rowPart = 0;

  constructor(sweep: Sweep, { rows, inherited }: MovementPlan) {
    const shape = { elements: sweep.elements, rows };
    const read: readonly Operand[] = ['mB', 'vB', 'vA'];
    this.operands = ['wA', 'wB', ...read.filter((operand) => sweep.streams[operand])];
    this.#sweep = sweep;
    this.#inherited = inherited;
    this.#record = emptyPairRecord(shape);
    this.#rowElements = elementsOfRow(shape);
    this.#octaveStride = deltaOctaveStride(sweep.elements);
  }

  /** Takes a chunk; chunks come in order. */
  add(views: MovementViews, { first, count }: Chunk): void {
    const side = (operand: Operand): Side | null => {
      const dtype = this.#sweep.streams[operand]?.tensor.dtype;
      const view = views[operand];
      return dtype !== undefined && view ? { dtype, view } : null;
    };
    const before = side('wA') as Side;
    const after = side('wB') as Side;
    const [firstMoment, second, secondBefore] = [side('mB'), side('vB'), side('vA')];
    const valueAt = ({ dtype, view }: Side, i: number) => lawValueAt(dtype, view, i);
    for (let i = 0; i < count; i++) {
      if (isChanged(before, after, i)) this.#record.changed += 1;
      this.#addDelta(Math.fround(valueAt(after, i) - valueAt(before, i)), first + i);
      if (!second) continue;
      const v = valueAt(second, i);
      if (secondBefore) this.#addGain(v - this.#inherited * valueAt(secondBefore, i));
      if (firstMoment) this.#addRatio(valueAt(firstMoment, i), v);
    }
  }

  finish(): PairRecord {
    const record = this.#record;
    record.deltaSquares = this.#squares.total();
    record.secondGained = this.#gained.total();
    if (this.#ratioCount > 0) record.ratioMean = this.#ratios.total() / this.#ratioCount;
    return record;
  }

  #addDelta(delta: number, index: number): void {
    const square = Number.isFinite(delta) ? delta * delta : 0;
    this.#squares.add(square);
    this.#addEnergy(square, index);
    if (!Number.isFinite(delta)) return;
    const { deltaOctaves } = this.#record;
    const octave = (float32Bits(delta) >>> 23) & 255;
    if (Math.floor(index / blockElements) % this.#octaveStride === 0) {
      deltaOctaves[octave] = (deltaOctaves[octave] as number) + 1;
    }
    this.#addSize(Math.abs(delta), index);
  }

  #addSize(size: number, index: number): void {
    const record = this.#record;
    if (record.deltaMax1Index < 0 || size > record.deltaMax1) {
      record.deltaMax2 = record.deltaMax1;
      record.deltaMax1 = size;
      record.deltaMax1Index = index;
    } else if (size > record.deltaMax2) {
      record.deltaMax2 = size;
    }
  }

  #addToRow(square: number, index: number): void {
    const { rowEnergy } = this.#record;
    const chain = index % sumChains;
    this.#rowChains[chain] = (this.#rowChains[chain] as number) + square;
    const ends = (elements: number) => (index + 1) % elements === 0;
    const rowEnds = ends(this.#rowElements);
    if (!rowEnds && !ends(blockElements)) return;
    this.#rowPart += combineChains(this.#rowChains);
    this.#rowChains.fill(0);
    if (!rowEnds && !ends(pageElements(deltaBits))) return;
    const row = Math.floor(index / this.#rowElements);
    rowEnergy[row] = (rowEnergy[row] as number) + this.#rowPart;
    this.#rowPart = 0;
  }

  #addEnergy(square: number, index: number): void {
    const { blockEnergy } = this.#record;
    if (this.#rowElements > 0) this.#addToRow(square, index);
    this.#blockSquares.add(square);
    if ((index + 1) % blockElements !== 0) return;
    const block = Math.floor(index / blockElements);
    if (block < blockEnergy.length) blockEnergy[block] = this.#blockSquares.total();
    this.#blockSquares = new BlockSums(blockElements);
  }

  #addGain(term: number): void {
    this.#gained.add(Number.isFinite(term) ? term : 0);
  }

  #addRatio(m: number, v: number): void {
    const takesPart = Number.isFinite(m) && v > 0 && Number.isFinite(v);
    this.#ratios.add(takesPart ? (m * m) / v : 0);
    if (takesPart) this.#ratioCount += 1;
  }
}
