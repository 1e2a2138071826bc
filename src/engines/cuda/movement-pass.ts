/** How the weights of one sweep moved: kernels look at blocks, the host joins them in grid order. */
import type { Operand } from '../../laws/law.ts';
import { blockElements, chunkElements, pageElements } from '../../records/grid.ts';
import {
  deltaOctaveStride,
  elementsOfRow,
  emptyPairRecord,
  type PairRecord,
} from '../../records/pair-record.ts';
import type { MovementPlan } from '../engine.ts';
import { BlockTotals, LargestSizes } from './block-records.ts';
import { CopyPass } from './copy-pass.ts';
import { groupElements, real, whole } from './kernels.ts';
import { RowEnergies } from './row-energies.ts';
import type { CudaSession } from './session.ts';
import {
  type Area,
  type ChunkWork,
  type CudaPass,
  type CudaStream,
  type CudaStreams,
  indexIn,
  operandOf,
  type ResultLayout,
} from './work.ts';

const total = { changed: 0, ratioCount: 1, octaves: 32, words: 288 } as const;
const block = { squares: 0, gained: 1, ratios: 2, max1: 3, max2: 4, index: 5, reals: 6 } as const;

/** Δ is a float32 whatever the weights are. */
const deltaBits = 32;

export interface MovementShared {
  readonly session: CudaSession;
  readonly streams: CudaStreams;
  readonly layout: ResultLayout;
}

export class MovementPass implements CudaPass {
  readonly #session: CudaSession;
  readonly #streams: CudaStreams;
  readonly #record: PairRecord;
  readonly #inherited: number;
  readonly #octaveStride: number;
  readonly #totals: Area;
  readonly #blocks: Area;
  /** Compares stored bits; null where base and head are of two types. */
  readonly #bits: CopyPass | null;
  readonly #rows: RowEnergies | null;
  readonly #squares = new BlockTotals(pageElements(deltaBits));
  readonly #gained = new BlockTotals(pageElements(deltaBits));
  readonly #ratios = new BlockTotals(pageElements(deltaBits));
  readonly #largest = new LargestSizes();
  #block = 0;
  #ratioCount = 0;

  constructor({ session, streams, layout }: MovementShared, { rows, inherited }: MovementPlan) {
    const left = streams.get('wA');
    const right = streams.get('wB');
    if (!left || !right) throw new Error('a movement without weights at both ends');
    const { elements } = right;
    const blocks = Math.ceil(Math.min(elements, chunkElements) / blockElements);
    this.#session = session;
    this.#streams = streams;
    this.#record = emptyPairRecord({ elements, rows });
    this.#inherited = inherited;
    this.#octaveStride = deltaOctaveStride(elements);
    this.#totals = layout.totals(total.words);
    this.#blocks = layout.records(blocks * block.reals * 8);
    this.#bits =
      left.dtype === right.dtype
        ? new CopyPass(session, { left, right, isRounded: false }, layout)
        : null;
    const row = elementsOfRow({ elements, rows });
    const ends: readonly [CudaStream, CudaStream] = [left, right];
    this.#rows = row > 0 ? new RowEnergies({ session, layout }, ends, row) : null;
  }

  start(work: ChunkWork): void {
    const { count } = work.chunk;
    const read: readonly Operand[] = ['wA', 'wB', 'mB', 'vA', 'vB'];
    this.#bits?.start(work);
    this.#session.launch('moveWeights', Math.ceil(count / groupElements.blocks), [
      ...read.flatMap((each) => [...operandOf(this.#streams.get(each), work)]),
      whole(count),
      real(this.#inherited),
      whole(this.#octaveStride),
      this.#blocks.on(work),
      this.#totals.on(work),
    ]);
    this.#rows?.start(work);
  }

  take(work: ChunkWork): void {
    const record = this.#record;
    const totals = this.#totals.words(work);
    this.#bits?.take(work);
    if (!this.#bits) record.changed += totals[total.changed] as number;
    this.#ratioCount += totals[total.ratioCount] as number;
    for (let i = 0; i < record.deltaOctaves.length; i++) {
      const found = totals[total.octaves + i] as number;
      record.deltaOctaves[i] = (record.deltaOctaves[i] as number) + found;
    }
    this.#takeBlocks(work);
    this.#rows?.take(work, record.rowEnergy);
  }

  finish(): PairRecord {
    const record = this.#record;
    if (this.#bits) record.changed = this.#bits.record.different;
    record.deltaMax1 = Math.max(0, this.#largest.max1);
    record.deltaMax1Index = this.#largest.index;
    record.deltaMax2 = Math.max(0, this.#largest.max2);
    record.deltaSquares = this.#squares.total();
    record.secondGained = this.#gained.total();
    if (this.#ratioCount > 0) record.ratioMean = this.#ratios.total() / this.#ratioCount;
    return record;
  }

  #takeBlocks(work: ChunkWork): void {
    const { first, count } = work.chunk;
    const { blockEnergy } = this.#record;
    const reals = this.#blocks.reals(work);
    const words = this.#blocks.words(work);
    for (let at = 0, start = 0; start < count; at += block.reals, start += blockElements) {
      const squares = reals[at + block.squares] as number;
      this.#squares.add(squares);
      this.#gained.add(reals[at + block.gained] as number);
      this.#ratios.add(reals[at + block.ratios] as number);
      const index = first + indexIn(work, words[2 * (at + block.index)] as number);
      const max1 = reals[at + block.max1] as number;
      this.#largest.add(max1, reals[at + block.max2] as number, index);
      if (this.#block < blockEnergy.length) blockEnergy[this.#block] = squares;
      this.#block += 1;
    }
  }
}
