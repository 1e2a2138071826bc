import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { locate } from '../../src/checkpoint/locate.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { copyOf, emptyFolder } from './altered-copy.ts';
import { judgePair, serious } from './judge-pair.ts';
import { outcomeOf } from './outcome.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from './torch-zip/golden-state.ts';
import { wrongChecksums } from './torch-zip/opened.ts';

const { checkpoints } = expectedStateOf('accelerate');
const here = checkpoints.filter(({ path }) => path !== 'checkpoint_8');

describe('a folder of save_state', () => {
  it.each(here)('$path lists what accelerate saved', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(
      join(fixtures, 'accelerate', expected.path),
    );
    expect(checkpoint).toMatchObject({ layout: 'accelerate', complete: true, problems: [] });
    expect(checkpoint.step).toBe(expected.step);
    expect(checkpoint.hasScheduler).toBe(true);
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const tensor = checkpoint.tensors.find((each) => each.name === one.name);
      if (tensor) expect(await digestOf(source, tensor, 64), one.name).toBe(one.sha256);
    }
    expect(await wrongChecksums({ checkpoint, source })).toEqual([]);
    await source.close();
  });

  it('is intact from one step to the next, and the laws see every second moment', async () => {
    const at = (step: number) => join(fixtures, `accelerate/checkpoint_${step}`);
    const result = await judgePair(at(4), at(3));
    expect(serious(result)).toEqual([]);
    expect(result.verdict).toBe('intact');
    const replay = result.coverage?.rules.find(({ rule }) => rule === 'replay-moments');
    expect(replay).toMatchObject({ elements: 744, of: 744 });
  });

  it('with a bit inverted in a second moment is confirmed', async () => {
    const folder = copyOf('accelerate/checkpoint_4');
    const { checkpoint, source } = await openCheckpoint(folder);
    await source.close();
    const tensor = checkpoint.tensors.find(({ name }) => name === 'state.3.exp_avg_sq');
    const place = tensor && locate(tensor, 100);
    const bytes = readFileSync(join(folder, 'optimizer.bin'));
    const at = (place?.offset ?? 0) + 3;
    bytes[at] = (bytes[at] as number) ^ 0x40;
    writeFileSync(join(folder, 'optimizer.bin'), bytes);
    const result = await judgePair(folder, join(fixtures, 'accelerate/checkpoint_3'));
    expect(serious(result)).toContainEqual(
      expect.objectContaining({
        certainty: 'confirmed',
        tensor: 'state.3.exp_avg_sq',
        element: expect.objectContaining({ index: 100 }),
      }),
    );
  });

  it('without its weights, or with a cut file, is not complete', async () => {
    const missing = copyOf('accelerate/checkpoint_4');
    rmSync(join(missing, 'model.safetensors'));
    expect((await outcomeOf(missing)).checkpoint).toMatchObject({ complete: false });
    for (const file of ['optimizer.bin', 'scheduler.bin', 'random_states_0.pkl']) {
      const folder = copyOf('accelerate/checkpoint_4');
      const bytes = readFileSync(join(folder, file));
      writeFileSync(join(folder, file), bytes.subarray(0, bytes.length - 30));
      const { kind, checkpoint } = await outcomeOf(folder);
      expect(kind, file).toBe('problem');
      expect(checkpoint?.complete, file).toBe(false);
    }
  });

  it('tells the tensors of a second model and a second optimizer apart', async () => {
    const folder = copyOf('accelerate/checkpoint_4');
    cpSync(join(folder, 'model.safetensors'), join(folder, 'model_1.safetensors'));
    cpSync(join(folder, 'optimizer.bin'), join(folder, 'optimizer_1.bin'));
    const { kind, checkpoint } = await outcomeOf(folder);
    expect(kind).toBe('fine');
    const names = checkpoint?.tensors.map(({ name }) => name) ?? [];
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('up.weight (model 1)');
    expect(names).toContain('optimizer_1.state.0.exp_avg');
    expect(checkpoint?.optimizers.map(({ kind: each }) => each)).toEqual(['adamw', 'adamw']);
  });
});

describe('FSDP folders', () => {
  it('beside random states are accelerate’s, with roles and owners by name', async () => {
    const folder = emptyFolder();
    cpSync(join(fixtures, 'dcp/step-5'), join(folder, 'pytorch_model_fsdp_0'), { recursive: true });
    cpSync(
      join(fixtures, 'accelerate/checkpoint_4/random_states_0.pkl'),
      join(folder, 'random_states_0.pkl'),
    );
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint).toMatchObject({ layout: 'accelerate', complete: true, step: 5 });
    const moment = checkpoint?.tensors.find(({ role }) => role === 'second-moment');
    expect(moment?.parameter).toBe('model.first.weight');
    expect(moment?.file).toBe('pytorch_model_fsdp_0/__0_0.distcp');
  });

  it('of a Trainer’s checkpoint are read with it', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'trainer_state.json'), '{"global_step": 5}');
    cpSync(join(fixtures, 'dcp/step-5'), join(folder, 'pytorch_model_fsdp_0'), { recursive: true });
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint).toMatchObject({ layout: 'hf-trainer', complete: true, step: 5 });
    expect(checkpoint?.tensors).toHaveLength(16);
    expect(checkpoint?.optimizers[0]?.kind).toBe('adamw');
    rmSync(join(folder, 'pytorch_model_fsdp_0/.metadata'));
    const unfinished = (await outcomeOf(folder)).checkpoint;
    expect(unfinished?.complete).toBe(false);
    expect(unfinished?.problems).toContainEqual(
      expect.objectContaining({
        rule: 'shard-missing',
        file: 'pytorch_model_fsdp_0/.metadata',
      }),
    );
  });
});

/** Written by accelerate 1.15 with torch 2.15: two models, each with an optimizer of its own. */
describe('a folder of two optimizers', () => {
  const at = (step: number) => join(fixtures, 'accelerate-two', `step-${step}`);

  it.each([5, 8])('is not held against the other one’s state at step %i', async (step) => {
    const result = await judgePair(at(step), at(4));
    expect(serious(result)).toEqual([]);
    expect(result.verdict).toBe('intact');
  });

  it('keeps a path for every state', async () => {
    const { checkpoint, source } = await openCheckpoint(at(5));
    const states = checkpoint.optimizers.flatMap(({ parameters }) => parameters);
    const paths = states.map(({ path }) => path);
    expect(paths).toContain('state.3');
    expect(paths).toContain('optimizer_1.state.3');
    expect(new Set(paths).size).toBe(8);
    await source.close();
  });
});
