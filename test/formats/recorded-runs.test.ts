/**
 * Real training runs, one checkpoint of each; what only the trainer knew lies beside them in
 * truth.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hfTrainer } from '../../src/formats/hf-trainer.ts';
import { torchZip } from '../../src/formats/torch-zip/torch-zip.ts';
import { openPath, wrongChecksums } from './torch-zip/opened.ts';

const runs = join(import.meta.dirname, '../fixtures/runs');
const recorded = join(import.meta.dirname, '../fixtures/recorded');

interface Truth {
  readonly optimizer: string;
  /** Names behind the optimizer's numbers, a list for each group. */
  readonly names: readonly (readonly string[])[];
  readonly tied: readonly (readonly [string, string])[];
  readonly frozen: readonly string[];
}

function truthOf(run: string): Truth {
  return JSON.parse(readFileSync(join(runs, run, 'truth.json'), 'utf8'));
}

const files: readonly (readonly [run: string, path: string, step: number])[] = [
  ['adam-mlp', join(runs, 'adam-mlp/checkpoint-000050.pt'), 50],
  ['adam-mlp', join(recorded, 'adam-mlp/checkpoint-000110.pt'), 110],
  ['adam-mlp', join(recorded, 'adam-mlp/checkpoint-000201.pt'), 201],
  ['adamw-transformer', join(runs, 'adamw-transformer/checkpoint-000050.pt'), 50],
  ['bf16-transformer', join(recorded, 'bf16-transformer/checkpoint-000110.pt'), 110],
  ['bf16-transformer', join(recorded, 'bf16-transformer/checkpoint-000201.pt'), 201],
  ['sgd-conv', join(runs, 'sgd-conv/checkpoint-000050.pt'), 50],
];

describe.each(files)('%s', (run, path, step) => {
  const truth = truthOf(run);

  it(`step ${step} opens with the names that its trainer used`, async () => {
    const opened = await openPath(path, torchZip);
    const { checkpoint } = opened;
    const [optimizer] = checkpoint.optimizers;
    expect(checkpoint).toMatchObject({ step, complete: true, problems: [] });
    expect(optimizer?.kind).toBe(truth.optimizer);
    expect(optimizer?.groups.map(({ keys }) => keys)).toEqual(
      truth.names.map((names) => names.map((name) => `model.${name}`)),
    );
    expect(checkpoint.frozen).toEqual(truth.frozen.map((name) => `model.${name}`));
    expect(await wrongChecksums(opened)).toEqual([]);
    await opened.source.close();
  });
});

describe('what these runs are there to show', () => {
  it('a parameter that joins later has a place and no counter', async () => {
    const { checkpoint } = await openPath(join(runs, 'adam-mlp/checkpoint-000050.pt'), torchZip);
    const steps = checkpoint.optimizers[0]?.parameters.map(({ key, step }) => [key, step]);
    expect(steps).toContainEqual(['model.layers.2.weight', null]);
    expect(steps).toContainEqual(['model.layers.1.weight', 50]);
  });

  it('a tie of one storage is told', async () => {
    const path = join(runs, 'adamw-transformer/checkpoint-000050.pt');
    const { checkpoint } = await openPath(path, torchZip);
    expect(checkpoint.tied).toEqual([['model.head.weight', 'model.embed.weight']]);
  });

  it('fp32 masters belong to their 16-bit parameters', async () => {
    const path = join(recorded, 'bf16-transformer/checkpoint-000200.pt');
    const { checkpoint } = await openPath(path, torchZip);
    const { names } = truthOf('bf16-transformer');
    for (const [g, group] of names.entries()) {
      for (const [i, name] of group.entries()) {
        const master = `optimizer.fp32_from_fp16_params.${g}.${i}`;
        const state = checkpoint.optimizers[0]?.parameters.find((p) => p.master === master);
        expect(state?.parameter).toBe(`model.${name}`);
        const tensor = checkpoint.tensors.find((each) => each.name === master);
        expect(tensor).toMatchObject({ role: 'master', dtype: 'f32', parameter: `model.${name}` });
      }
    }
  });

  it('sorted weights name what has a shape of its own, and nothing wrongly', async () => {
    const path = join(runs, 'hf-transformer/checkpoint-50');
    const { checkpoint } = await openPath(path, hfTrainer);
    const truth = truthOf('hf-transformer');
    expect(checkpoint).toMatchObject({ step: 50, complete: true, problems: [], frozen: [] });
    const keys = checkpoint.optimizers[0]?.groups.map((group) => group.keys) ?? [];
    const named = keys.map((group, g) => {
      return group.filter((key, i) => !key.startsWith('state.') && key === truth.names[g]?.[i]);
    });
    const unnamed = keys.map((group) => group.filter((key) => key.startsWith('state.')));
    // Every matrix has a shape of its own; of the rest the biases of the two wide layers do.
    expect(named.map((group) => group.length)).toEqual([6, 2]);
    expect(unnamed.map((group) => group.length)).toEqual([0, 8]);
  });
});
