import { describe, expect, it } from 'vitest';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import type { Group } from '../../src/suspicions/suspicion.ts';
import { type Figures, recordOf, tensorOf } from './small-tensor.ts';

function judged(now: Figures, before: Figures | null, group: Group = 'weight') {
  const rest = { record: recordOf(now), before: before && recordOf(before) };
  const tensors = [tensorOf('w', group, rest)];
  return judgeValidation(emptyRunMemory(), { step: 10, baseStep: 3, beta1: 0.9, tensors });
}

const rules = (...args: Parameters<typeof judged>) =>
  judged(...args).findings.map(({ rule, severity }) => `${rule} ${severity}`);

const giant = { max1: 2 ** 24 * 1.5, max2: 1.25 };

describe('sudden-giant', () => {
  it('is a weight 24 octaves above all others, now and at the base', () => {
    expect(rules(giant, { max1: 1.5 })).toEqual(['sudden-giant warning']);
    expect(judged(giant, {}).findings[0]).toMatchObject({ element: 7, value: 24, reference: 24 });
  });

  it('is none where it is a little less, or another stands near', () => {
    expect(rules({ ...giant, max1: giant.max1 * 0.99 }, {})).toEqual(['lone-giant info']);
    expect(rules({ max1: giant.max1, max2: giant.max1 / 2 }, {})).toEqual([]);
  });

  it('is none where it was there at the base', () => {
    expect(rules(giant, giant)).toEqual(['lone-giant info']);
  });

  it('needs a base that holds something', () => {
    expect(rules(giant, null)).toEqual(['lone-giant info']);
    expect(rules(giant, { zeros: 4096 })).toEqual(['lone-giant info']);
  });

  it('is told of no moment, which one gradient may drive, and of no tiny tensor', () => {
    expect(rules(giant, {}, 'first')).toEqual(['lone-giant info']);
    expect(rules({ ...giant, elements: 15 }, { elements: 15 })).not.toContain(
      'sudden-giant warning',
    );
  });

  it('says where it can what the largest value of the base was', () => {
    const message = (before: Figures | null) => judged({ max1: 512, max2: 1 }, before).findings[0];
    expect(message({})?.message).toContain('at the base the largest was 1.50');
    expect(message(null)?.message).toContain('it may have been so all along');
  });
});
