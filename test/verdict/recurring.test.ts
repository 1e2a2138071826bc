/** What a run's damaged checkpoints have in common. */
import { describe, expect, it } from 'vitest';
import { type Damaged, recurringFindings } from '../../src/verdict/recurring.ts';
import type { Finding } from '../../src/verdict/result.ts';

function flipped(index: number, bit: number, more: Partial<Finding> = {}): Finding {
  return {
    ...{ rule: 'bounded-update', kind: 'law', certainty: 'confirmed', severity: 'critical' },
    ...{ parameter: 'w', count: 1, element: { index, coordinates: [index] } },
    ...{ bits: { head: '0x3f800000', flip: bit }, message: '', next: '' },
    ...more,
  };
}

const run = (...findings: Finding[]): Damaged[] =>
  findings.map((finding, i) => ({ checkpoint: `c${i}`, findings: [finding] }));

const lane5 = [5, 37, 69, 133, 261];
const bits = [30, 3, 17, 22, 11];

describe('recurring-suspect over a run', () => {
  it('names the lane that five flips in five checkpoints share', () => {
    const found = recurringFindings(run(...lane5.map((at, i) => flipped(at, bits[i] ?? 0))), '');
    // 5 · 5 bits, less log2 of 32 lanes, 2 traits and 5 looks.
    expect(found).toMatchObject([{ rule: 'recurring-suspect', severity: 'warning', count: 5 }]);
    expect(found[0]?.evidence_bits).toBeCloseTo(25 - 5 - 1 - Math.log2(5), 9);
    expect(found[0]?.message).toMatch(/^lane \(index mod 32\) 5 is behind 5 of 5 findings/);
  });

  it('names the bit, and gives it no less than a chance of 1 in 4', () => {
    const places = [1, 34, 67, 100, 133, 166, 199, 232, 265, 298, 331, 364, 397];
    const found = recurringFindings(run(...places.map((at) => flipped(at, 27))), '');
    expect(found).toMatchObject([{ severity: 'warning', count: 13 }]);
    expect(found[0]?.evidence_bits).toBeCloseTo(26 - 5 - 1 - Math.log2(13), 9);
  });

  it('is quiet about four', () => {
    const found = recurringFindings(run(...lane5.slice(1).map((at) => flipped(at, at % 29))), '');
    expect(found.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  it('counts an element that stays damaged once', () => {
    expect(recurringFindings(run(...bits.map(() => flipped(5, 30))), '')).toEqual([]);
  });

  it('learns nothing from tensors that are damaged in many places, nor from infos', () => {
    const many = lane5.map((at) => flipped(at, 30, { count: 9 }));
    const infos = lane5.map((at) => flipped(at, 30, { severity: 'info' }));
    expect(recurringFindings(run(...many, ...infos), '')).toEqual([]);
  });

  it('names the offset in the page that five flips share, never below one chance in 64', () => {
    const found = recurringFindings(
      run(...lane5.map((at, i) => flipped(at + i, bits[i] ?? 0, { offset: 4096 * (3 + i) + 256 }))),
      '',
    );
    // 5 · 6 bits, less log2 of 1,024 offsets, 3 traits and 5 looks.
    expect(found).toMatchObject([{ severity: 'warning', count: 5 }]);
    expect(found[0]?.evidence_bits).toBeCloseTo(30 - 10 - Math.log2(3) - Math.log2(5), 9);
    expect(found[0]?.message).toMatch(/^offset in the page 256 is behind 5 of 5 findings/);
  });

  it('names the rank, of tensors that are damaged in many places too, once an event', () => {
    const torn = (i: number, rank: number) =>
      flipped(i, 30, { parameter: `layer.${i}`, count: 500, rank });
    const ranks = (n: number) => run(...Array.from({ length: n }, (_, i) => torn(i, 6)));
    const found = recurringFindings(ranks(11), '');
    // 11 · 2 bits, less log2 of the 7 ranks that there are at least, and 11 looks.
    expect(found).toMatchObject([{ severity: 'warning', count: 11 }]);
    expect(found[0]?.evidence_bits).toBeCloseTo(22 - Math.log2(7) - Math.log2(11), 9);
    expect(found[0]?.message).toMatch(/^rank 6 is behind 11 of 11 findings/);
    const burst = { checkpoint: 'c', findings: Array.from({ length: 50 }, (_, i) => torn(i, 6)) };
    expect(recurringFindings([burst], '')).toEqual([]);
    const still = Array.from({ length: 20 }, (_, i) => ({
      checkpoint: `c${i}`,
      findings: [torn(1, 6)],
    }));
    expect(recurringFindings(still, '')).toEqual([]);
  });

  it('is quiet about a rank that stands alone, and about offsets and ranks that fall evenly', () => {
    const alone = Array.from({ length: 30 }, (_, i) => flipped(33 * i, i % 32, { rank: 0 }));
    expect(recurringFindings(run(...alone), '')).toEqual([]);
    const even = alone.map((each, i) => ({ ...each, rank: i % 8, offset: 100 * i }));
    expect(recurringFindings(run(...even), '')).toEqual([]);
  });
});
