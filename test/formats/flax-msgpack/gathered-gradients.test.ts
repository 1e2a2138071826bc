import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judged } from '../../verdict/judged.ts';
import { outcomeOf } from '../outcome.ts';

const made = join(import.meta.dirname, '../../fixtures/flax');

describe('a state whose updates take several steps', () => {
  it('has no step where nothing but updates is counted', async () => {
    const { checkpoint } = await outcomeOf(join(made, 'checkpoint_5'));
    expect(checkpoint?.step).toBeNull();
    const steps = checkpoint?.optimizers.flatMap(({ parameters }) => parameters);
    expect(steps?.map(({ step }) => step)).toEqual([2, 2, 2, 2]);
  });

  it('may gather gradients and statistics between two updates', async () => {
    const at = (step: number) => join(made, `checkpoint_${step}`);
    const result = await judged(at(5), at(4), {});
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    // Weights and both moments stood still, which is a law of its own.
    const agree = result.coverage?.rules.find(({ rule }) => rule === 'bits-agree');
    expect(agree?.elements).toBe(198);
  });
});
