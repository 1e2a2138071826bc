/** The same suspect again and again. */
import { describe, expect, it } from 'vitest';
import {
  binomialTailBits,
  findRecurring,
  type PastFinding,
} from '../../src/suspicions/recurring.ts';

describe('the binomial tail', () => {
  // -log2 of sum(comb(n, k) p^k (1 - p)^(n - k) for k >= c), exactly, with Python's fractions.
  it.each([
    [2, 2, 1 / 1024, 20],
    [6, 6, 1 / 8, 18],
    [5, 9, 1 / 32, 18.174814804726296],
    [12, 40, 1 / 4, 1.8116972903692692],
    [0, 5, 1 / 2, 0],
    [200, 256, 1 / 4096, 2210.0563741471897],
    [3, 256, 1 / 8, 1.447508779506279e-12],
    [64, 256, 1 / 4, 0.9324212800181378],
  ])('P(X ≥ %d of %d at %d) is %d bits', (count, trials, p, want) => {
    expect(binomialTailBits(count, trials, p)).toBeCloseTo(want, 9);
  });
});

const unknown = { rank: null, host: null, pageOffset: null, bit: null, lane: null };

function at(...ranks: number[]): PastFinding[] {
  return ranks.map((rank, i) => ({ ...unknown, checkpoint: `c${i}`, rank }));
}

describe('recurring-suspect', () => {
  it('names a rank of eight that was behind eight findings of eight', () => {
    const [found] = findRecurring(at(3, 3, 3, 3, 3, 3, 3, 3), { rank: 8 });
    // 24 bits, less 3 for the other ranks and 3 for the looks.
    expect(found).toMatchObject({
      trait: 'rank',
      suspect: '3',
      count: 8,
      of: 8,
      bits: 24,
      net: 18,
    });
    expect(found?.severity).toBe('warning');
    expect(found?.message).toContain('rank 3 is behind 8 of 8 findings');
  });

  it('needs fewer findings where there are more ranks to fall on', () => {
    expect(findRecurring(at(3, 3), { rank: 8 })).toEqual([]);
    const [found] = findRecurring(at(77, 77, 77), { rank: 1024 });
    expect(found?.severity).toBe('warning');
  });

  it('is quiet where findings fall evenly', () => {
    expect(findRecurring(at(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7), { rank: 8 })).toEqual(
      [],
    );
  });

  it('counts one event once, however many tensors it hit', () => {
    const burst = Array.from({ length: 50 }, () => ({ ...unknown, checkpoint: 'c1', rank: 3 }));
    expect(findRecurring(burst, { rank: 8 })).toEqual([]);
    const [found] = findRecurring([...burst, ...at(3, 3, 3, 3, 3, 3, 3)], { rank: 8 });
    expect(found).toMatchObject({ count: 7, of: 7 });
  });

  it('tests nothing whose values are unknown or only one', () => {
    const all = at(3, 3, 3, 3, 3, 3, 3, 3);
    expect(findRecurring(all, {})).toEqual([]);
    expect(findRecurring(all, { rank: 1, lane: 32 })).toEqual([]);
  });

  it('pays for every trait that it looked at', () => {
    const rank = at(3, 3, 3, 3, 3, 3, 3, 3);
    const both = rank.map((each, i) => ({ ...each, lane: i }));
    const [alone] = findRecurring(rank, { rank: 8, lane: 32 });
    const [among] = findRecurring(both, { rank: 8, lane: 32 });
    expect((alone?.net ?? 0) - (among?.net ?? 0)).toBeCloseTo(1, 9);
  });

  it('gives a bit at least one chance in four: rules see bit 30 best', () => {
    const bits = (n: number) =>
      Array.from({ length: n }, (_, i) => ({ ...unknown, checkpoint: `c${i}`, bit: 30 }));
    expect(findRecurring(bits(5), { bit: 32 })).toEqual([]);
    const lanes = bits(5).map((each) => ({ ...each, bit: null, lane: 30 }));
    expect(findRecurring(lanes, { lane: 32 })[0]?.severity).toBe('warning');
  });

  it('reads the newest 256 findings alone', () => {
    const old = Array.from({ length: 100 }, (_, i) => ({
      ...unknown,
      checkpoint: `o${i}`,
      rank: 3,
    }));
    const even = Array.from({ length: 256 }, (_, i) => ({
      ...unknown,
      checkpoint: `e${i}`,
      rank: i % 8,
    }));
    expect(findRecurring([...old, ...even], { rank: 8 })).toEqual([]);
  });
});
