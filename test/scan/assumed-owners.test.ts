import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtures } from '../formats/golden.ts';
import { judgePair, serious } from '../formats/judge-pair.ts';

/**
 * `torch-reordered`: torch 2.15; the optimizer holds the head and then the norm, which the model
 * defines before it. By order its first state would be the embedding's, which another one trains.
 */
const at = (step: number) => join(fixtures, 'torch-reordered', `step-${step}.pt`);

describe('state whose owner only the order of parameters tells', () => {
  it.each([7, 10])('calls no weight of a healthy run damaged at step %i', async (step) => {
    const result = await judgePair(at(step), at(6));
    expect(serious(result)).toEqual([]);
    expect(result.verdict).toBe('intact');
  });

  it('is not held against a weight that it does not fit, and coverage says so', async () => {
    const { coverage } = await judgePair(at(7), at(6));
    const update = coverage?.rules.find(({ rule }) => rule === 'replay-weights');
    expect(update?.unknown).toContainEqual({
      reason: 'order alone tells the owner of the state',
      elements: 48,
    });
  });
});
