import { describe, expect, it } from 'vitest';
import { emptyLawRecord, mergeLawRecord, ratioOf } from '../../src/records/law-record.ts';

describe('how bad an element is', () => {
  it.each([
    ['nothing on the left', 0, 5, 0],
    ['less than nothing on the left', -1, 5, 0],
    ['half of what is allowed', 1, 2, 0.5],
    ['exactly what is allowed', 3, 3, 1],
    ['twice what is allowed', 4, 2, 2],
    ['something where nothing is allowed', 1, 0, Infinity],
    ['something where less than nothing is allowed', 1, -2, Infinity],
    ['a negative left above a more negative right', -1, -2, Infinity],
    ['NaN on the left', Number.NaN, 1, Infinity],
    ['NaN on the right', 1, Number.NaN, Infinity],
    ['infinity on both sides', Infinity, Infinity, 0],
    ['infinity on the left', Infinity, 1, Infinity],
    ['infinity on the right', 1, Infinity, 0],
  ])('is for %s: %d of %d is %d', (_, left, right, ratio) => {
    expect(ratioOf(left, right)).toBe(ratio);
  });
});

describe('two parts of a tensor', () => {
  const worst = (index: number, ratio: number) => ({ index, left: 0, right: 0, ratio, values: [] });

  it('merge to the sum of their counts and the worst of both', () => {
    const into = { ...emptyLawRecord('a'), judged: 3, broken: 1, notFinite: 2, worst: worst(1, 2) };
    const part = { ...emptyLawRecord('a'), judged: 4, broken: 2, notFinite: 1, worst: worst(9, 3) };
    mergeLawRecord(into, part);
    expect(into).toEqual({ law: 'a', judged: 7, broken: 3, notFinite: 3, worst: worst(9, 3) });
  });

  it('keep the earlier of two equally bad elements', () => {
    const into = { ...emptyLawRecord('a'), worst: worst(1, 2) };
    mergeLawRecord(into, { ...emptyLawRecord('a'), worst: worst(9, 2) });
    expect(into.worst?.index).toBe(1);
  });

  it('have no worst element until one was judged', () => {
    const into = emptyLawRecord('a');
    mergeLawRecord(into, emptyLawRecord('a'));
    expect(into.worst).toBeNull();
    mergeLawRecord(into, { ...emptyLawRecord('a'), worst: worst(4, 0) });
    expect(into.worst?.index).toBe(4);
  });
});
