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
});
