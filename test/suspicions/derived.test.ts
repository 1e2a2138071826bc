/** Derived figures at their edges; their values on real tensors are compared in oracle.test.ts. */
import { describe, expect, it } from 'vitest';
import { deriveStatistics, energyPeak, octaveQuantile } from '../../src/suspicions/derived.ts';
import { recordOf } from './small-tensor.ts';

function octaves(...counts: readonly (readonly [number, number])[]): Float64Array {
  const all = new Float64Array(256);
  for (const [octave, count] of counts) all[octave] = count;
  return all;
}

describe('quantiles of octaves', () => {
  // Page 2 of the specification: q = k − 127 + (p·N − cumulative before k) / octaves[k].
  it.each([
    [
      0.5,
      [
        [126, 2],
        [127, 2],
      ],
      0,
    ],
    [0.5, [[127, 4]], 0.5],
    [
      0.9,
      [
        [120, 9],
        [130, 1],
      ],
      -6,
    ],
    [
      0.91,
      [
        [120, 90],
        [130, 10],
      ],
      3.1,
    ],
  ] as const)('p = %d of %j is %d', (p, counts, want) => {
    expect(octaveQuantile(octaves(...counts), p)).toBeCloseTo(want, 12);
  });

  it('leave out zeros, subnormals and what float32 cannot hold', () => {
    expect(octaveQuantile(octaves([0, 1000], [127, 4], [255, 1000]), 0.5)).toBe(0.5);
    expect(octaveQuantile(octaves([0, 1000], [255, 1000]), 0.5)).toBeNull();
  });
});

describe('peaks of energy', () => {
  it('stand over the middle entry, in octaves of root energy', () => {
    expect(energyPeak(Float64Array.of(1, 1, 1, 16, 1))).toBe(2);
    expect(energyPeak(Float64Array.of(1, 1, 3, 32))).toBe(2);
  });

  it('stand over the mean where the middle entry did not move', () => {
    expect(energyPeak(Float64Array.of(0, 0, 0, 8))).toBe(1);
  });

  it('are 0 where nothing moved, or where there is no table', () => {
    expect(energyPeak(new Float64Array(5))).toBe(0);
    expect(energyPeak(new Float64Array())).toBe(0);
  });
});

describe('statistics of a tensor', () => {
  it('are absent where it is all zero', () => {
    expect(deriveStatistics(recordOf({ zeros: 4096 }), null, Number.NaN)).toEqual({});
  });

  it('have no gap under 8 nonzero elements', () => {
    expect(deriveStatistics(recordOf({ zeros: 4088 }), null, Number.NaN).gap).toBeGreaterThan(0);
    expect(deriveStatistics(recordOf({ zeros: 4089 }), null, Number.NaN).gap).toBeUndefined();
  });

  it('take the scale of squares back that float64 tensors outside of its range have', () => {
    const record = { ...recordOf({ dtype: 'f64' }), sumSquares: 4096 * 4, squareScale: 2 ** -600 };
    expect(deriveStatistics(record, null, Number.NaN).rms).toBe(601);
  });

  it('have the ratio of moments where it is known', () => {
    expect(deriveStatistics(recordOf(), null, 8).ratioMean).toBe(3);
    expect(deriveStatistics(recordOf(), null, 0).ratioMean).toBeUndefined();
  });
});
