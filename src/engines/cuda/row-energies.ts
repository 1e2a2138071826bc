/** ΣΔ² of the rows of a weight: kernels sum what a row has in one block, the host joins blocks. */
import { blockElements, chunkElements } from '../../records/grid.ts';
import { whole } from './kernels.ts';
import type { CudaSession } from './session.ts';
import {
  type Area,
  type ChunkWork,
  type CudaStream,
  operandOf,
  type ResultLayout,
} from './work.ts';

/** Parts of rows that a group sums. */
const groupParts = 32;

export class RowEnergies {
  readonly #session: CudaSession;
  readonly #ends: readonly [CudaStream, CudaStream];
  readonly #row: number;
  /** Rows that one block can have a part of. */
  readonly #parts: number;
  readonly #sums: Area;

  /** `row`: elements of one row. */
  constructor(
    { session, layout }: { readonly session: CudaSession; readonly layout: ResultLayout },
    ends: readonly [CudaStream, CudaStream],
    row: number,
  ) {
    const blocks = Math.ceil(Math.min(ends[0].elements, chunkElements) / blockElements);
    this.#session = session;
    this.#ends = ends;
    this.#row = row;
    this.#parts = Math.ceil(blockElements / row) + 1;
    this.#sums = layout.records(blocks * this.#parts * 8);
  }

  start(work: ChunkWork): void {
    const { first, count } = work.chunk;
    const [left, right] = this.#ends;
    const parts = Math.ceil(count / blockElements) * this.#parts;
    this.#session.launch('sumRows', Math.ceil(parts / groupParts), [
      ...operandOf(left, work),
      ...operandOf(right, work),
      whole(count),
      whole(this.#row),
      whole(first % this.#row),
      whole(this.#parts),
      this.#sums.on(work),
    ]);
  }

  /** Adds the chunk, which is one page of Δ: blocks in order, then the page to each row. */
  take(work: ChunkWork, into: Float64Array): void {
    const { first, count } = work.chunk;
    const sums = this.#sums.reals(work);
    const end = first + count;
    let row = Math.floor(first / this.#row);
    let page = 0;
    for (let block = first, at = 0; block < end; block += blockElements, at += this.#parts) {
      const blockEnd = Math.min(block + blockElements, end);
      for (let part = 0; ; part++) {
        page += sums[at + part] as number;
        const rowEnd = (row + 1) * this.#row;
        if (rowEnd > blockEnd) break;
        into[row] = (into[row] as number) + page;
        page = 0;
        row += 1;
        if (rowEnd === blockEnd) break;
      }
    }
    if (end % this.#row !== 0) into[row] = (into[row] as number) + page;
  }
}
