/** Laws that are read off records: cases that hold, break and cannot tell. */
import { describe, expect, it } from 'vitest';
import { blockScale } from '../../src/laws/block-scale.ts';
import { factorBalanceSides } from '../../src/laws/factor-balance.ts';
import { clipBoundSides, gradientLedgerSides, momentumClipSides } from '../../src/laws/ledger.ts';
import { repeatedPages } from '../../src/laws/repeated-pages.ts';
import { isRunningVariance, runningVariance } from '../../src/laws/running-variance.ts';

/** Digest table of pages that hold these contents. */
function table(...contents: number[]): Uint32Array {
  return new Uint32Array(contents.flatMap((content) => [content, content * 7]));
}

describe("'no-repeated-pages'", () => {
  it('holds where pages stay apart, and where they were equal before', () => {
    expect(repeatedPages(table(1, 2, 3), table(4, 5, 6), 3)).toEqual([]);
    expect(repeatedPages(table(1, 1, 3), table(4, 4, 6), 3)).toEqual([]);
  });

  it('breaks where two that differed became equal', () => {
    expect(repeatedPages(table(1, 2, 3), table(4, 5, 4), 3)).toEqual([{ page: 2, of: 0 }]);
  });

  it('tells one pair for each digest, however often it repeats', () => {
    const many = Array.from({ length: 1000 }, (_, i) => i + 1);
    expect(repeatedPages(table(...many), table(...many.map(() => 9)), 1000)).toEqual([
      { page: 1, of: 0 },
    ]);
  });

  it('cannot tell from a partial last page, which is not counted', () => {
    expect(repeatedPages(table(1, 2), table(4, 4), 1)).toEqual([]);
  });
});

/** β₂ = 0.95, two steps of norms 1 and 2: by hand (1 − β₂)(β₂·1 + 4). */
const want = 0.05 * (0.95 + 4);

describe("'gradient-ledger'", () => {
  const sums = { held: 1, beta2: 0.95, norms: [1, 2], isExact: true };
  const holds = (gained: number, isExact = true) => {
    const { left, right } = gradientLedgerSides({ ...sums, isExact, gained: () => gained });
    return left <= right;
  };

  it('holds at the sum that the norms bring, and breaks just past its tolerance on either side', () => {
    expect(holds(want)).toBe(true);
    expect(holds(want * (1 + 0.9e-4))).toBe(true);
    expect(holds(want * (1 + 1.2e-4))).toBe(false);
    expect(holds(want * (1 - 1.2e-4))).toBe(false);
  });

  it('judges only a gain above norms that were taken before clipping', () => {
    expect(holds(want * 0.5, false)).toBe(true);
    expect(holds(want * 1.01, false)).toBe(false);
  });

  it('breaks on a sum that is not a number', () => {
    expect(holds(Number.NaN)).toBe(false);
  });
});

describe("'clip-bound'", () => {
  const at = (firstNorm: number, secondRoot: number) => {
    const sums = {
      firstSquares: firstNorm ** 2,
      second: secondRoot ** 2,
      clip: 1,
      step: 1e6,
      beta1: 0.9,
      beta2: 0.95,
    };
    const { left, right } = clipBoundSides(sums);
    return left <= right;
  };

  it('holds up to the clip norm and breaks past it by more than its slack', () => {
    expect(at(1.0009, 0.5)).toBe(true);
    expect(at(1.002, 0.5)).toBe(false);
    expect(at(0.5, 1.0009)).toBe(true);
    expect(at(0.5, 1.002)).toBe(false);
  });
});

describe("'clip-bound' on one buffer", () => {
  const at = (norm: number, kept: number, adds: 'all' | 'rest') => {
    const { left, right } = momentumClipSides({ squares: norm ** 2, clip: 2, kept, adds });
    return left <= right;
  };

  it('holds up to c/(1 − μ) for SGD and up to c for Lion, and breaks past them', () => {
    expect([at(20.01, 0.9, 'all'), at(20.1, 0.9, 'all')]).toEqual([true, false]);
    expect([at(2.001, 0, 'all'), at(2.01, 0, 'all')]).toEqual([true, false]);
    expect([at(2.001, 0.99, 'rest'), at(2.01, 0.99, 'rest')]).toEqual([true, false]);
    expect(at(Number.NaN, 0.9, 'all')).toBe(false);
  });
});

describe("'factor-balance'", () => {
  const holds = (row: number, column: number) => {
    const { left, right } = factorBalanceSides(row, column);
    return left <= right;
  };

  it('holds within a thousandth, breaks past it and for what is no number', () => {
    expect([holds(1, 1), holds(1, 1.0009), holds(0, 0)]).toEqual([true, true, true]);
    expect([holds(1, 1.002), holds(0, 1e-9), holds(Number.NaN, 1)]).toEqual([false, false, false]);
  });
});

describe("'block-scale'", () => {
  it('holds at zero and above, breaks below', () => {
    const holds = (value: number) => {
      const { left, right } = blockScale.sides([value], {});
      return left <= right;
    };
    expect([0, -0, 1e-45, 3].map(holds)).toEqual([true, true, true, true]);
    expect([-1e-45, -2, Number.NaN].map(holds)).toEqual([false, false, false]);
  });
});

describe("'running-variance'", () => {
  it('holds at zero and above, breaks below', () => {
    const holds = (value: number) => {
      const { left, right } = runningVariance.sides([value], {});
      return left <= right;
    };
    expect([0, -0, 1e-45, 3].map(holds)).toEqual([true, true, true, true]);
    expect([-1e-45, -2, Number.NaN].map(holds)).toEqual([false, false, false]);
  });

  it('speaks of running_var alone', () => {
    expect(isRunningVariance('model.bn.running_var')).toBe(true);
    expect(isRunningVariance('model.bn.running_mean')).toBe(false);
  });
});
