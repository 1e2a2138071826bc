/** What blocks of 1,024 elements say, joined in order: kernels/cuda/summary.cu leaves it. */
import { blockElements } from '../../records/grid.ts';
import { PageSums } from '../../records/grid-sum.ts';

/** Sums of blocks, joined to pages and to a total in the one order. */
export class BlockTotals {
  readonly #pageBlocks: number;
  readonly #pages = new PageSums();
  #page = 0;
  #blocks = 0;

  /** `pageElements`: elements of one page of the stream. */
  constructor(pageElements: number) {
    this.#pageBlocks = pageElements / blockElements;
  }

  add(blockSum: number): void {
    this.#page += blockSum;
    this.#blocks += 1;
    if (this.#blocks % this.#pageBlocks === 0) this.#endPage();
  }

  /** Once, after the last block. */
  total(): number {
    if (this.#blocks % this.#pageBlocks !== 0) this.#endPage();
    return this.#pages.total();
  }

  #endPage(): void {
    this.#pages.add(this.#page);
    this.#page = 0;
  }
}

/** The two largest sizes so far, with the index of the first of the largest; −1 for none. */
export class LargestSizes {
  max1 = -1;
  max2 = -1;
  index = -1;

  /** Joins those of later elements. */
  add(max1: number, max2: number, index: number): void {
    if (max1 < 0) return;
    if (max1 > this.max1) {
      this.max2 = Math.max(this.max1, max2);
      this.max1 = max1;
      this.index = index;
    } else {
      this.max2 = Math.max(this.max2, max1);
    }
  }
}
