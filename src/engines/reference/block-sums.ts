/** Float64 sums of a stream of numbers on the shared grid: the definition that kernels repeat. */

import { blockElements, sumChains } from '../../records/grid.ts';
import { combineChains, PageSums } from '../../records/grid-sum.ts';

export class BlockSums {
  readonly #pageElements: number;
  readonly #pages = new PageSums();
  #chains = new Float64Array(sumChains);
  #page = 0;
  #count = 0;

  constructor(pageElements: number) {
    this.#pageElements = pageElements;
  }

  /** Takes the next element's term; an element that is left out counts as 0. */
  add(term: number): void {
    const chain = (this.#count % blockElements) % sumChains;
    this.#chains[chain] = (this.#chains[chain] as number) + term;
    this.#count += 1;
    if (this.#count % blockElements === 0) this.#endBlock();
    if (this.#count % this.#pageElements === 0) this.#endPage();
  }

  /** The sum; nothing may be added after it. */
  total(): number {
    if (this.#count % blockElements !== 0) this.#endBlock();
    if (this.#count % this.#pageElements !== 0) this.#endPage();
    return this.#pages.total();
  }

  #endBlock(): void {
    this.#page += combineChains(this.#chains);
    this.#chains = new Float64Array(sumChains);
  }

  #endPage(): void {
    this.#pages.add(this.#page);
    this.#page = 0;
  }
}
