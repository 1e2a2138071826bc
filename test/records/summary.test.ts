import { describe, expect, it } from 'vitest';
import {
  emptySummaryRecord,
  finiteCount,
  l2Of,
  meanOf,
  nonFiniteCount,
  stdOf,
} from '../../src/records/summary.ts';

describe('a summary', () => {
  it('has no mean and no deviation without finite elements', () => {
    const record = emptySummaryRecord('f32');
    record.elements = 3;
    record.nan = 1;
    record.positiveInfinity = 1;
    record.negativeInfinity = 1;
    expect(nonFiniteCount(record)).toBe(3);
    expect(finiteCount(record)).toBe(0);
    expect(meanOf(record)).toBeNaN();
    expect(stdOf(record)).toBeNaN();
    expect(l2Of(record)).toBe(0);
  });

  it('takes mean and deviation over finite elements alone', () => {
    const record = emptySummaryRecord('f32');
    Object.assign(record, { elements: 5, nan: 1, sum: 20, sumSquares: 4 + 16 + 36 + 64 });
    expect(meanOf(record)).toBe(5);
    expect(stdOf(record)).toBe(Math.sqrt(5));
    expect(l2Of(record)).toBe(Math.sqrt(120));
  });

  it('prefers squares that were measured around the mean', () => {
    const record = emptySummaryRecord('f32');
    Object.assign(record, { elements: 2, sum: 2e9, sumSquares: 2e18, centredSquares: 2 });
    expect(stdOf(record)).toBe(1);
  });

  it('undoes the scale of squares that would have left the range of a double', () => {
    const record = emptySummaryRecord('f64');
    const scale = 2 ** -1000;
    Object.assign(record, { elements: 2, sum: 0, sumSquares: 2, squareScale: scale });
    expect(l2Of(record)).toBe(Math.SQRT2 / scale);
    expect(stdOf(record)).toBe(1 / scale);
  });
});
