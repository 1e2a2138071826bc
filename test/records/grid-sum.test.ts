import { describe, expect, it } from 'vitest';
import { pageElements } from '../../src/records/grid.ts';
import { combineChains, PageSums } from '../../src/records/grid-sum.ts';
import { wordAt } from '../engines/seeded.ts';

function total(pages: readonly number[]): number {
  const sums = new PageSums();
  for (const page of pages) sums.add(page);
  return sums.total();
}

/** Numbers whose sum depends on the order of additions. */
const p = Array.from({ length: 16 }, (_, i) => (wordAt(1, i) / 2 ** 31 - 1) * 10 ** (i % 9));
const at = (i: number) => p[i] as number;

describe('the order of sums', () => {
  it('combines the chains of a block pair by pair', () => {
    const left = at(0) + at(1) + (at(2) + at(3));
    expect(combineChains(p)).toBe(left + (at(4) + at(5) + (at(6) + at(7))));
  });

  it('adds pages by a tree whose missing right halves are left out', () => {
    expect(total([])).toBe(0);
    expect(total(p.slice(0, 1))).toBe(at(0));
    expect(total(p.slice(0, 3))).toBe(at(0) + at(1) + at(2));
    const four = at(0) + at(1) + (at(2) + at(3));
    expect(total(p.slice(0, 5))).toBe(four + at(4));
    expect(total(p.slice(0, 6))).toBe(four + (at(4) + at(5)));
    expect(total(p.slice(0, 7))).toBe(four + (at(4) + at(5) + at(6)));
  });

  it('gives the same bits for halves that were summed apart', () => {
    expect(total(p)).toBe(total([total(p.slice(0, 8)), total(p.slice(8))]));
    expect(total(p.slice(0, 13))).toBe(total([total(p.slice(0, 8)), total(p.slice(8, 13))]));
  });

  it('holds a page of 1 MiB whatever the type', () => {
    expect([8, 16, 32, 64, 128].map(pageElements)).toEqual([
      1_048_576, 524_288, 262_144, 131_072, 65_536,
    ]);
  });
});
