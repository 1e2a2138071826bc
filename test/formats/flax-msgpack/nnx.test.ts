import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judged } from '../../verdict/judged.ts';
import { outcomeOf } from '../outcome.ts';

const made = join(import.meta.dirname, '../../fixtures/flax/nnx');

describe('a state of NNX, whose leaves are variables with a value', () => {
  it('has its step, its statistics and its counters', async () => {
    const { checkpoint } = await outcomeOf(join(made, 'checkpoint_5'));
    expect(checkpoint?.step).toBe(5);
    const named = (role: string) => {
      return checkpoint?.tensors.filter((each) => each.role === role).map(({ name }) => name);
    };
    expect(named('buffer')?.sort()).toEqual(['model.norm.mean.value', 'model.norm.var.value']);
    expect(named('step')).toEqual(['optimizer.opt_state.0.count.value']);
    const owners = checkpoint?.optimizers[0]?.parameters.map(({ parameter }) => parameter);
    expect(owners?.sort()).toEqual(named('parameter')?.sort());
  });

  it('is replayed', async () => {
    const at = (step: number) => join(made, `checkpoint_${step}`);
    const optimizer = { kind: 'adamw', beta1: 0.9, beta2: 0.999 };
    const result = await judged(at(5), at(4), { optimizer });
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const replayed = result.coverage?.rules.find(({ rule }) => rule === 'replay-moments');
    expect([replayed?.elements, replayed?.of]).toEqual([91, 91]);
  });
});
