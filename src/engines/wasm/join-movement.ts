/** Joins the parts of a sweep's movement, in the order of the grid. */
import { blockElements } from '../../records/grid.ts';
import { PageSums } from '../../records/grid-sum.ts';
import { elementsOfRow, emptyPairRecord, type PairRecord } from '../../records/pair-record.ts';
import type { MovementPage, MovementPart } from './sweep-part.ts';

export class JoinedMovement {
  readonly #record: PairRecord;
  readonly #rowElements: number;
  readonly #squares = new PageSums();
  readonly #gained = new PageSums();
  readonly #ratios = new PageSums();
  #ratioCount = 0;

  constructor(shape: { readonly elements: number; readonly rows: number }) {
    this.#record = emptyPairRecord(shape);
    this.#rowElements = elementsOfRow(shape);
  }

  /** Takes the next part. */
  add(part: MovementPart): void {
    const record = this.#record;
    record.changed += part.changed;
    this.#ratioCount += part.ratioCount;
    for (let i = 0; i < part.octaves.length; i++) {
      record.deltaOctaves[i] = (record.deltaOctaves[i] as number) + (part.octaves[i] as number);
    }
    for (const page of part.pages) this.#addPage(page);
    if (part.deltaMax1Index < 0) return;
    if (record.deltaMax1Index < 0 || part.deltaMax1 > record.deltaMax1) {
      record.deltaMax2 = Math.max(record.deltaMax1, part.deltaMax2);
      record.deltaMax1 = part.deltaMax1;
      record.deltaMax1Index = part.deltaMax1Index;
    } else {
      record.deltaMax2 = Math.max(record.deltaMax2, part.deltaMax1);
    }
  }

  finish(): PairRecord {
    const record = this.#record;
    record.deltaSquares = this.#squares.total();
    record.secondGained = this.#gained.total();
    if (this.#ratioCount > 0) record.ratioMean = this.#ratios.total() / this.#ratioCount;
    return record;
  }

  #addPage({ first, squares, gained, ratios, blocks, rows }: MovementPage): void {
    const { blockEnergy, rowEnergy } = this.#record;
    this.#squares.add(squares);
    this.#gained.add(gained);
    this.#ratios.add(ratios);
    if (blockEnergy.length > 0) blockEnergy.set(blocks, first / blockElements);
    if (this.#rowElements === 0) return;
    const row = Math.floor(first / this.#rowElements);
    for (const [i, energy] of rows.entries()) {
      rowEnergy[row + i] = (rowEnergy[row + i] as number) + energy;
    }
  }
}
