/**
 * The one order in which float64 sums are formed, so that every engine and thread count gives the
 * same bits: element i of a block goes to chain i mod 8; chains, blocks, pages are added as below.
 */

/** The sum of one block from its 8 chains, each started at +0. */
export function combineChains(chains: ArrayLike<number>): number {
  const at = (i: number) => chains[i] as number;
  return at(0) + at(1) + (at(2) + at(3)) + (at(4) + at(5) + (at(6) + at(7)));
}

/**
 * Adds page sums by a binary tree over the page index: a node of level l covers 2^l pages, its sum
 * is left + right, and a node without right half is its left half. Pages may be summed apart and
 * joined.
 */
export class PageSums {
  /** The complete node of each level that still waits for its right sibling. */
  readonly #waiting: (number | null)[] = [];

  /** Appends the sum of the next page: its blocks' sums, added in order from +0. */
  add(pageSum: number): void {
    let node = pageSum;
    let level = 0;
    for (; typeof this.#waiting[level] === 'number'; level++) {
      node = (this.#waiting[level] as number) + node;
      this.#waiting[level] = null;
    }
    this.#waiting[level] = node;
  }

  /** The sum of all pages; 0 of none. */
  total(): number {
    let sum: number | null = null;
    for (const node of this.#waiting) {
      if (typeof node === 'number') sum = sum === null ? node : node + sum;
    }
    return sum ?? 0;
  }
}
