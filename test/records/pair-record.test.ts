import { describe, expect, it } from 'vitest';
import {
  deltaOctaveStride,
  elementsOfRow,
  emptyPairRecord,
} from '../../src/records/pair-record.ts';

describe('the record of a movement', () => {
  it.each([
    ['a matrix', { elements: 64, rows: 4 }, 16],
    ['rows of one element', { elements: 64, rows: 64 }, 1],
    ['too few elements', { elements: 60, rows: 4 }, 0],
    ['too few rows', { elements: 66, rows: 3 }, 0],
    ['one dimension', { elements: 4096, rows: 0 }, 0],
    ['rows that do not fit', { elements: 65, rows: 4 }, 0],
  ])('has rows of %s where they can be judged', (_, shape, elements) => {
    expect(elementsOfRow(shape)).toBe(elements);
    expect(emptyPairRecord(shape).rowEnergy).toHaveLength(elements > 0 ? shape.rows : 0);
  });

  it.each([
    [1024, 0],
    [2047, 0],
    [2048, 2],
    [3071, 2],
    [3072, 3],
  ])('of %i elements has %i whole blocks to compare', (elements, blocks) => {
    expect(emptyPairRecord({ elements, rows: 0 }).blockEnergy).toHaveLength(blocks);
  });

  it('counts every octave up to 8 MiB of float32 and every 8th block above', () => {
    expect(deltaOctaveStride(2 ** 21)).toBe(1);
    expect(deltaOctaveStride(2 ** 21 + 1)).toBe(8);
  });
});
