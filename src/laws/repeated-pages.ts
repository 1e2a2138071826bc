/** no-repeated-pages: pages that differed in the base are not identical in the head. */
import type { RecordLaw } from './law.ts';

export interface RepeatedPage {
  /** Index of the page that repeats … */
  readonly page: number;
  /** … and of the earlier page that it repeats. */
  readonly of: number;
}

/** Pairs kept of one tensor; more add nothing to the finding. */
const pairsKept = 64;

/** The digests of whole pages, one integer each. */
function integersOf(digests: Uint32Array, pages: number): BigUint64Array {
  return new BigUint64Array(digests.slice(0, 2 * pages).buffer);
}

/** Digests that more than one page has. Sorted, they are neighbours: no table of all pages is built. */
function sharedBy(digests: BigUint64Array): Set<bigint> {
  const sorted = digests.slice().sort();
  const shared = new Set<bigint>();
  const words = new Uint32Array(sorted.buffer);
  for (let i = 2; i < words.length; i += 2) {
    if (words[i] !== words[i - 2] || words[i + 1] !== words[i - 1]) continue;
    shared.add(sorted[i >>> 1] as bigint);
  }
  return shared;
}

/**
 * Pages with equal digests in `head` whose digests in `base` differed, at most one for each distinct
 * digest. Tables hold two words a page; `pages` counts whole pages. Constant pages are the caller's to
 * exempt: a digest does not tell.
 */
export function repeatedPages(base: Uint32Array, head: Uint32Array, pages: number): RepeatedPage[] {
  const after = integersOf(head, pages);
  const shared = sharedBy(after);
  if (shared.size === 0) return [];
  const before = integersOf(base, pages);
  const first = new Map<bigint, number>();
  const found = new Map<bigint, RepeatedPage>();
  for (const [page, digest] of after.entries()) {
    if (!shared.has(digest)) continue;
    const of = first.get(digest);
    if (of === undefined) first.set(digest, page);
    else if (!found.has(digest) && before[of] !== before[page]) {
      found.set(digest, { page, of });
      if (found.size === pairsKept) break;
    }
  }
  return [...found.values()];
}

export const noRepeatedPages: RecordLaw = {
  id: 'no-repeated-pages',
  scope: 'record',
  title: 'Pages that differed have not become equal',
  family: 'movement',
  statement:
    'No two 4 KiB pages of one tensor that differed in the base are bit-identical in the head, constant pages apart.',
  derivation:
    'Not a theorem but a coincidence count: 1,024 float32 that trained apart do not meet bit for bit. Pages ' +
    'that were equal in the base already (tied rows, upcycled experts) may stay equal. Digests find the pages; ' +
    'their bytes are compared before anything is said.',
  needs: 'the tensor at base and head, two pages or more',
  cost: 'none beside the summaries: one 64-bit digest a page',
  cannotSee: 'A page copied within one page, or from another tensor.',
  advice:
    'A misplaced or repeated page: storage, DMA or a tool that assembled the file. Re-read it; else go back.',
};
