import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { folderCopies, folderFormat, told } from '../folder-format.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { openPath, wrongChecksums } from '../torch-zip/opened.ts';

const copy = folderCopies();
const { open, isComplete } = folderFormat(deepspeed);

const rank0 = 'bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt';
const rank1 = 'bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt';

describe.each([
  ['deepspeed-zero1', 'fqn'],
  ['deepspeed-zero2-aligned', 'fqn'],
  ['deepspeed-zero3', 'fqn'],
  ['deepspeed-bf16-optimizer', 'fqn'],
  ['deepspeed-fp16', 'storage'],
])('%s', (name, mapping) => {
  const { checkpoints } = expectedStateOf(name);

  it.each(checkpoints)('$path is put together as the engine had it', async (expected) => {
    const opened = await openPath(join(fixtures, name, expected.path), deepspeed);
    const { checkpoint, source } = opened;
    expect(checkpoint).toMatchObject({ layout: 'deepspeed', step: expected.step, complete: true });
    expect(told(checkpoint)).toEqual([]);
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const found = checkpoint.tensors.find((each) => each.name === one.name);
      if (found) expect(await digestOf(source, found, 13), one.name).toBe(one.sha256);
      if (found?.parameter) expect(found.mapping).toBe(mapping);
    }
    expect(await wrongChecksums(opened)).toEqual([]);
    await source.close();
  });

  it.each(checkpoints)('$path has its groups and a counter for each parameter', async (one) => {
    const { optimizers } = await open(join(fixtures, name, one.path));
    const [expected] = one.optimizers;
    const [found] = optimizers;
    expect(found?.kind).toMatch(/^adam(-or-adam)?w$/);
    expect(found?.prefix).toBe('optimizer.');
    for (const [g, { parameters, ...hyper }] of (expected?.groups ?? []).entries()) {
      expect(found?.groups[g]?.hyper).toEqual(hyper);
      // round_robin_gradients orders the vector otherwise than the model.
      expect(found?.groups[g]?.keys.toSorted()).toEqual(parameters.toSorted());
    }
    const steps = found?.parameters.map(({ key, step }) => [key, step]) ?? [];
    expect(Object.fromEntries(steps)).toEqual(expected?.steps);
    expect(found?.parameters.every(({ master }) => master !== null)).toBe(true);
    expect(await isComplete(join(fixtures, name, one.path))).toBe(true);
  });
});

it('says which rank wrote each piece of a parameter that two ranks share', async () => {
  const { tensors } = await open(join(fixtures, 'deepspeed-zero1/global_step6'));
  const tensor = tensors.find(({ name }) => name === 'optimizer.state.up.weight.exp_avg_sq');
  const placement = tensor?.placement;
  const pieces = placement?.kind === 'dense' ? placement.pieces : [];
  // From the rank's own tables: 25 elements end rank 0's share, 45 begin rank 1's.
  expect(pieces.map(({ file, elements, rank }) => [file, elements, rank])).toEqual([
    [rank0, 25, 0],
    [rank1, 45, 1],
  ]);
});

it('is recognised by the names of its files, whatever the folder is called', async () => {
  const folder = copy('deepspeed-zero1/global_step6');
  const moved = join(folder, '..', 'anything');
  renameSync(folder, moved);
  const { checkpoint, source } = await openCheckpoint(moved);
  expect(checkpoint.layout).toBe('deepspeed');
  await source.close();
});

describe('a save that is not finished', () => {
  it.each([
    ['deepspeed-zero1/global_step6', rank1],
    ['deepspeed-zero1/global_step6', rank0],
    ['deepspeed-zero3/global_step6', rank1],
    ['deepspeed-zero3/global_step6', 'zero_pp_rank_1_mp_rank_00_model_states.pt'],
    ['deepspeed-zero1/global_step6', 'mp_rank_00_model_states.pt'],
  ])('%s without %s waits, and says what is missing when it is opened', async (path, file) => {
    const folder = copy(path);
    rmSync(join(folder, file));
    expect(await isComplete(folder)).toBe(false);
    const checkpoint = await open(folder);
    expect(checkpoint.complete).toBe(false);
    expect(told(checkpoint)).toContainEqual(['shard-missing', file]);
    const moments = checkpoint.tensors.filter(({ role }) => role === 'second-moment');
    for (const { placement } of moments) expect(['dense', 'absent']).toContain(placement.kind);
  });

  it('waits for the ranks when only the model is there', async () => {
    const folder = copy('deepspeed-zero1/global_step6');
    for (const file of [rank0, rank1]) rmSync(join(folder, file));
    expect(await isComplete(folder)).toBe(false);
    expect((await open(folder)).complete).toBe(false);
  });

  it('waits for the end of every rank’s file', async () => {
    const folder = copy('deepspeed-zero1/global_step6');
    const bytes = readFileSync(join(folder, rank1));
    writeFileSync(join(folder, rank1), bytes.subarray(0, bytes.length - 30));
    expect(await isComplete(folder)).toBe(false);
  });
});

describe('files that do not belong together', () => {
  it.each([
    ['deepspeed-zero1', 'global_step5', rank1],
    ['deepspeed-zero1', 'global_step5', rank0],
    ['deepspeed-zero3', 'global_step5', rank0],
    ['deepspeed-zero3', 'global_step5', 'zero_pp_rank_1_mp_rank_00_model_states.pt'],
  ])('%s: %s’s %s is told by its count', async (name, other, file) => {
    const folder = copy(`${name}/global_step6`);
    copyFileSync(join(fixtures, name, other, file), join(folder, file));
    expect(told(await open(folder))).toEqual([['shard-stale', file]]);
  });

  it('are two ranks’ files that were exchanged: each still carries its name', async () => {
    const folder = copy('deepspeed-zero3/global_step6');
    const names = [rank0, rank1].map((name) => join(folder, name));
    const [first, second] = names.map((path) => readFileSync(path));
    writeFileSync(names[0] as string, second as Buffer);
    writeFileSync(names[1] as string, first as Buffer);
    expect(told(await open(folder))).toEqual([
      ['shard-misplaced', rank0],
      ['shard-misplaced', rank1],
    ]);
  });

  it('are shares that the parameters do not fill: nothing is placed then', async () => {
    const folder = copy('deepspeed-zero1/global_step6');
    const other = join(fixtures, 'deepspeed-zero2-aligned/global_step5');
    for (const name of [rank0, rank1]) copyFileSync(join(other, name), join(folder, name));
    const checkpoint = await open(folder);
    const rules = checkpoint.problems.map(({ rule }) => rule);
    expect(rules).toContain('header-invalid');
    expect(checkpoint.tensors.filter(({ role }) => role === 'second-moment')).toEqual([]);
  });
});

describe('two model-parallel ranks', () => {
  /** Both hold the same bytes here: what is looked at are the files, not their values. */
  function twoRanks(second: string): string {
    const folder = copy('deepspeed-zero1/global_step6');
    for (const file of [rank0, rank1, 'mp_rank_00_model_states.pt']) {
      const other = file.replace('mp_rank_00', 'mp_rank_01');
      copyFileSync(join(fixtures, 'deepspeed-zero1', second, file), join(folder, other));
    }
    return folder;
  }

  it('keep their slices apart by name, each with an optimizer of its own', async () => {
    const { tensors, optimizers, problems, step } = await open(twoRanks('global_step6'));
    expect(problems).toEqual([]);
    expect(step).toBe(6);
    expect(new Set(tensors.map(({ name }) => name)).size).toBe(tensors.length);
    const named = optimizers.map(({ parameters }) => parameters[0]?.parameter);
    expect(named).toEqual([
      'mp_rank_00.module.embedding.weight',
      'mp_rank_01.module.embedding.weight',
    ]);
  });

  it('are of one save: the earlier one is named', async () => {
    const checkpoint = await open(twoRanks('global_step5'));
    expect(told(checkpoint)).toEqual([['shard-stale', 'mp_rank_01_model_states.pt']]);
  });
});
