/** Evidence against a short history: calibrated by theory, not by cases. */
import { describe, expect, it } from 'vitest';
import { baseBits } from '../../src/suspicions/budget.ts';
import { historyLength, leastHistory } from '../../src/suspicions/run-memory.ts';
import { shortnessBits } from '../../src/suspicions/weigh.ts';
import { wordAt } from '../engines/seeded.ts';

const trials = 60_000;

/** Values with the tail that healthy statistics have: a quarter of an octave for each e-fold. */
const scale = 0.25;

function exponential(seed: number, i: number): number {
  return -scale * Math.log((wordAt(seed, i) + 0.5) / 2 ** 32);
}

/** Last of n + 1 exchangeable values, less the largest of the others. */
function excess(n: number, trial: number): number {
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, exponential(7 + i, trial));
  return exponential(3, trial) - largest;
}

describe('bits of an excess over n values', () => {
  const lengths = [leastHistory, 5, 6, 8, 10, historyLength];
  // P(excess > x) = e^(−x/scale)/13 over 12 values, by hand; a bit is scale · ln 2 octaves.
  const bitsOf = (x: number, shortness: number) =>
    Math.log2(13) + x / (scale * Math.LN2) - shortness;

  it.each(lengths)('are passed as often as they say with a history of %d', (n) => {
    for (const bits of [4, 6, 8]) {
      let passed = 0;
      for (let trial = 0; trial < trials; trial++) {
        if (bitsOf(excess(n, trial), shortnessBits(n)) >= bits) passed += 1;
      }
      // Five standard deviations of a Poisson count either way.
      const want = trials / 2 ** bits;
      expect(Math.abs(passed - want)).toBeLessThan(5 * Math.sqrt(want));
    }
  });

  it('would be passed 13/5 times too often with four values, were nothing taken off', () => {
    let passed = 0;
    for (let trial = 0; trial < trials; trial++) {
      if (bitsOf(excess(leastHistory, trial), 0) >= 6) passed += 1;
    }
    expect(passed / (trials / 2 ** 6)).toBeGreaterThan(2.2);
  });

  it('cost nothing where the history is full', () => {
    expect(shortnessBits(historyLength)).toBe(0);
    expect(shortnessBits(leastHistory)).toBeCloseTo(Math.log2(13 / 5), 12);
    expect(shortnessBits(leastHistory)).toBeLessThan(baseBits);
  });
});
