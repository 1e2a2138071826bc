import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { digestOf } from './golden.ts';

const run = join(import.meta.dirname, '../fixtures/runs/snapshot-gan');
const folder = temporaryFolder();

interface Expected {
  readonly step: number;
  readonly optimizer: string;
  readonly groups: readonly Record<string, unknown>[];
  readonly parameter_groups: Readonly<Record<string, number>>;
  readonly steps: Readonly<Record<string, number>>;
  readonly tensors: Readonly<Record<string, { shape: number[]; sha256: string }>>;
}

const golden: Record<string, Expected> = JSON.parse(
  readFileSync(join(run, 'expected.json'), 'utf8'),
);

const roles: Readonly<Record<string, string>> = {
  parameter: 'parameter',
  gradient: 'gradient',
  exp_avg: 'first-moment',
  exp_avg_sq: 'second-moment',
  step: 'step',
};

describe.each(Object.entries(golden))('the recorded snapshot %s', (name, expected) => {
  it('has its tensors with roles, owners and bytes', async () => {
    const { checkpoint, source } = await openCheckpoint(join(run, name));
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint).toMatchObject({ step: expected.step, complete: true, frozen: [], tied: [] });
    expect(checkpoint.tensors.map((tensor) => tensor.name).sort()).toEqual(
      Object.keys(expected.tensors).sort(),
    );
    for (const tensor of checkpoint.tensors) {
      const [slot = '', owner] = tensor.name.split('/');
      const isWeight = slot === 'parameter';
      expect(tensor).toMatchObject({
        role: roles[slot],
        parameter: isWeight ? null : `parameter/${owner}`,
        mapping: isWeight ? null : 'fqn',
        shape: expected.tensors[tensor.name]?.shape,
      });
      expect(await digestOf(source, tensor)).toBe(expected.tensors[tensor.name]?.sha256);
    }
    await source.close();
  });

  it('has its optimizer, with every parameter’s own steps', async () => {
    const { checkpoint, source } = await openCheckpoint(join(run, name));
    await source.close();
    const [optimizer, ...others] = checkpoint.optimizers;
    expect(others).toEqual([]);
    expect(optimizer).toMatchObject({ kind: expected.optimizer.toLowerCase(), file: name });
    expect(optimizer?.groups.map(({ hyper }) => ({ ...hyper }))).toEqual(expected.groups);
    expect(optimizer?.groups[0]?.keys).toEqual(
      Object.keys(expected.parameter_groups).map((one) => `parameter/${one}`),
    );
    const steps = optimizer?.parameters.map((state) => [state.path, state.step]) ?? [];
    expect(Object.fromEntries(steps)).toEqual(expected.steps);
    for (const state of optimizer?.parameters ?? []) {
      expect(state).toMatchObject({
        key: `parameter/${state.path}`,
        parameter: `parameter/${state.path}`,
        group: 0,
        stepScope: 'own',
        stepDtype: 'f32',
        shape: expected.tensors[`exp_avg/${state.path}`]?.shape,
        master: null,
      });
      expect({ ...state.tensors }).toEqual({
        exp_avg: `exp_avg/${state.path}`,
        exp_avg_sq: `exp_avg_sq/${state.path}`,
        step: `step/${state.path}`,
      });
    }
  });
});

/** A snapshot of one-element float32 tensors, all zero but those given. */
async function snapshot(
  names: readonly string[],
  metadata: Readonly<Record<string, string>>,
  values: Readonly<Record<string, number>> = {},
): Promise<Checkpoint> {
  const entries = names.map((name, i) => [
    name,
    { dtype: 'F32', shape: [], data_offsets: [4 * i, 4 * i + 4] },
  ]);
  const header = Buffer.from(
    JSON.stringify({
      __metadata__: { 'laika.snapshot': '1', ...metadata },
      ...Object.fromEntries(entries),
    }),
  );
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  const data = Float32Array.from(names, (name) => values[name] ?? 0);
  const path = join(folder, 'made.safetensors');
  writeFileSync(path, Buffer.concat([prefix, header, Buffer.from(data.buffer)]));
  const { checkpoint, source } = await openCheckpoint(path);
  await source.close();
  return checkpoint;
}

describe('a snapshot', () => {
  const adamw = (group: object) => ({ optimizer: 'AdamW', groups: JSON.stringify([group]) });

  it.each([
    ['AdamW', {}, 'adamw'],
    ['AdamW', { amsgrad: true, weight_decay: 0.1 }, 'amsgrad'],
    ['Adam', { weight_decay: 0.1 }, 'adam'],
    ['Adam', { decoupled_weight_decay: true }, 'adamw'],
    ['Adam', { amsgrad: true, weight_decay: 0 }, 'amsgrad'],
    ['Adam', { amsgrad: true, weight_decay: 0.1 }, 'adam-amsgrad'],
    ['SGD', {}, 'sgd'],
    ['Lion', {}, 'lion'],
  ])('of %s with %o says %s', async (optimizer, group, kind) => {
    const made = await snapshot([], { optimizer, groups: JSON.stringify([group]) });
    expect(made.optimizers[0]?.kind).toBe(kind);
  });

  it('knows as frozen what no group holds, where groups are told at all', async () => {
    const names = [
      'parameter/a.weight',
      'parameter/b.weight',
      'parameter/b.ema',
      'buffer/c.weight',
    ];
    const told = await snapshot(names, { ...adamw({}), parameter_groups: '{"a.weight": 0}' });
    expect(told.frozen).toEqual([]);
    const other = [...names, 'parameter/deep.b.bias'];
    const more = await snapshot(other, { ...adamw({}), parameter_groups: '{"a.weight": 0}' });
    expect(more.frozen).toEqual(['parameter/deep.b.bias']);
    expect((await snapshot(names, adamw({}))).frozen).toEqual([]);
  });

  it('keeps a counter that is wrong for a law to judge, and none where there is none', async () => {
    const made = await snapshot(
      ['parameter/a', 'exp_avg/a', 'step/a', 'parameter/b', 'exp_avg/b', 'parameter/c'],
      { ...adamw({}), parameter_groups: '{"a": 0, "b": 0, "c": 0}' },
      { 'step/a': Number.NaN },
    );
    const states = made.optimizers[0]?.parameters ?? [];
    expect(states.map(({ path, step, stepScope }) => [path, step, stepScope])).toEqual([
      ['a', Number.NaN, 'own'],
      ['b', null, null],
      ['c', null, null],
    ]);
    expect(states[2]).toMatchObject({ parameter: 'parameter/c', group: 0, shape: null });
  });

  it('gives masters and ties where it has them', async () => {
    const made = await snapshot(
      ['parameter/a', 'parameter/b', 'master/a', 'exp_avg/a', 'exp_avg/gone', 'rng/cpu'],
      { ...adamw({}), parameter_groups: '{"a": 0, "gone": 3}', tied: '{"b": "a", "a": "x"}' },
    );
    expect(made.tied).toEqual([['parameter/b', 'parameter/a']]);
    const [a, gone, ...others] = made.optimizers[0]?.parameters ?? [];
    expect(others).toEqual([]);
    expect(a?.master).toBe('master/a');
    expect(gone).toMatchObject({ key: 'gone', parameter: null, group: null, path: 'gone' });
    const find = (name: string) => made.tensors.find((tensor) => tensor.name === name);
    expect(find('master/a')).toMatchObject({ role: 'master', parameter: 'parameter/a' });
    expect(find('exp_avg/gone')).toMatchObject({ role: 'first-moment', parameter: null });
    expect(find('rng/cpu')).toMatchObject({ role: 'other', parameter: null });
  });

  it('with metadata that is no JSON is damage, and its tensors stay', async () => {
    const made = await snapshot(['parameter/a'], { groups: '[{"lr": 1', parameter_groups: '[]' });
    expect(made.problems.map(({ rule, kind }) => [rule, kind])).toEqual([
      ['header-invalid', 'damage'],
      ['header-invalid', 'damage'],
    ]);
    expect(made.tensors).toHaveLength(1);
  });

  it('keeps Python’s NaN and names such as __proto__ among its hyper-parameters', async () => {
    const groups = '[{"lr": NaN, "__proto__": 1, "betas": [0.9, 0.999], "nested": {"a": 1}}]';
    const made = await snapshot([], { optimizer: 'AdamW', groups });
    const hyper = made.optimizers[0]?.groups[0]?.hyper ?? {};
    expect(Object.keys(hyper)).toEqual(['lr', '__proto__', 'betas']);
    expect(hyper.lr).toBeNaN();
    expect(made.problems).toMatchObject([{ rule: 'hyper-parameter-invalid', kind: 'damage' }]);
  });

  it.each(['', 'seven', '-1', '1.5', '99999999999999999999'])(
    'has no step where its metadata says %o',
    async (step) => {
      expect((await snapshot([], { step })).step).toBeNull();
    },
  );
});
