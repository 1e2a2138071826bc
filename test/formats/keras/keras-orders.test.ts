import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Role } from '../../../src/checkpoint/tensor.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { judged } from '../../verdict/judged.ts';
import { outcomeOf } from '../outcome.ts';

const made = join(import.meta.dirname, '../../fixtures/keras');

/** By file and tensor: Keras's own names of the slot and of its parameter. */
const orders: Record<string, Record<string, [slot: string, owner: string]>> = JSON.parse(
  readFileSync(join(made, 'orders.json'), 'utf8'),
);

const adam: Record<string, Role> = {
  momentum: 'first-moment',
  velocity: 'second-moment',
  velocity_hat: 'max-second-moment',
  average: 'average',
};
const roles: Record<string, Record<string, Role>> = {
  gathered: adam,
  scaled: adam,
  nadam: adam,
  amsgrad: adam,
  // Without a class the first run may be of averages or of gathered gradients.
  averaged: { momentum: 'first-moment', velocity: 'second-moment' },
  overwritten: adam,
  rmsprop: { velocity: 'second-moment', momentum: 'momentum' },
  // Its norms are no squares.
  adamax: {},
  lion: { momentum: 'first-moment' },
};

async function tensorsOf(name: string) {
  const { checkpoint } = await outcomeOf(join(made, name));
  if (!checkpoint) throw new Error(`${name} was not opened`);
  return checkpoint;
}

describe('numbered variables of a Keras optimizer', () => {
  it.each(Object.keys(orders))('%s: are what Keras calls them', async (name) => {
    const { tensors } = await tensorsOf(name);
    const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    const role = roles[/^[a-z]+/.exec(name)?.[0] as string] as Record<string, Role>;
    const expected = orders[name] as (typeof orders)[string];
    expect(Object.keys(expected).length).toBeGreaterThan(5);
    for (const [variable, [slot, owner]] of Object.entries(expected)) {
      const found = byName.get(variable);
      expect([variable, found?.role, found?.parameter]).toEqual([
        variable,
        role[slot] ?? 'other',
        owner,
      ]);
    }
  });

  it('inside one that scales the loss are those of its own class', async () => {
    const { step, optimizers } = await tensorsOf('scaled-5.keras');
    expect(step).toBe(5);
    expect(optimizers.map(({ kind }) => kind)).toEqual(['adam']);
  });

  it.each([
    ['gathered', 'intact'],
    ['scaled', 'intact'],
  ])('%s: one step later is %s', async (name, verdict) => {
    const at = (step: number) => join(made, `${name}-${step}.keras`);
    const result = await judged(at(5), at(4), {});
    expect([result.verdict, result.findings]).toEqual([verdict, []]);
    // Gathered or not, the trainer has taken a step.
    expect([result.base?.step, result.checkpoint?.step]).toEqual([4, 5]);
  });

  it('whose averages take the weights’ place are judged by their moments alone', async () => {
    const at = (step: number) => join(made, `overwritten-${step}.keras`);
    const told = { lrMax: 1e-9 };
    const result = await judged(at(6), at(5), told);
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const share = (rule: string) => {
      const found = result.coverage?.rules.find((each) => each.rule === rule);
      return found && [found.elements, found.of];
    };
    expect(share('second-moment-decay')).toEqual([91, 91]);
    expect(share('moment-bound')).toEqual([91, 91]);
    expect(share('bounded-update')).toEqual([0, 91]);
  });

  it('of a program’s own model go with statistics that are no parameters', async () => {
    const { tensors } = await tensorsOf('own-4.weights.h5');
    const found = tensors.filter(({ name }) => /^(bn|last)\//.test(name));
    expect(found.map(({ name, role }) => [name, role])).toEqual([
      ['bn/vars/0', 'parameter'],
      ['bn/vars/1', 'parameter'],
      ['bn/vars/2', 'buffer'],
      ['bn/vars/3', 'buffer'],
      ['last/vars/0', 'parameter'],
      ['last/vars/1', 'parameter'],
    ]);
  });
});

describe('a Keras model all in bfloat16', () => {
  const bits: readonly number[] = JSON.parse(readFileSync(join(made, 'bfloat16.json'), 'utf8'));

  it('is stored as bytes without a type, and read', async () => {
    const { checkpoint, source } = await openCheckpoint(join(made, 'bfloat16-5.keras'));
    const kernel = checkpoint.tensors.find(({ name }) => name === 'layers/dense/vars/0');
    expect(kernel).toMatchObject({ dtype: 'bf16', shape: [5, 8], role: 'parameter' });
    const into = new Uint8Array(2 * bits.length);
    const run = { first: 0, count: bits.length, into };
    await readTensorBytes(source, kernel as NonNullable<typeof kernel>, run);
    await source.close();
    expect([...new Uint16Array(into.buffer)]).toEqual(bits);
  });

  it('is judged by what holds for it', async () => {
    const at = (step: number) => join(made, `bfloat16-${step}.keras`);
    const result = await judged(at(5), at(4), {});
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const bound = result.coverage?.rules.find(({ rule }) => rule === 'moment-bound');
    expect([bound?.elements, bound?.of]).toEqual([75, 75]);
  });
});
