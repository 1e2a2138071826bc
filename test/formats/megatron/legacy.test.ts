import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { megatronLegacy } from '../../../src/formats/megatron/legacy.ts';
import { folderCopies, folderFormat, told } from '../folder-format.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { openPath, wrongChecksums } from '../torch-zip/opened.ts';

const copy = folderCopies();
const { open, isComplete } = folderFormat(megatronLegacy);
const judgePair = judgePairs();
const names = ['megatron-legacy', 'megatron-legacy-distributed'];

describe.each(names)('%s', (name) => {
  it.each(expectedStateOf(name).checkpoints)('$path is read as it was written', async (one) => {
    const opened = await openPath(join(fixtures, name, one.path), megatronLegacy);
    const { checkpoint, source } = opened;
    const { step } = one;
    expect(checkpoint).toMatchObject({ layout: 'megatron-legacy', step, complete: true });
    expect(told(checkpoint)).toEqual([]);
    expect(checkpoint.tensors.length).toBe(one.tensors.length);
    expect(new Set(checkpoint.tensors.map((tensor) => tensor.name)).size).toBe(one.tensors.length);
    for (const expected of one.tensors) {
      const found = checkpoint.tensors.find((tensor) => {
        return (
          (tensor.nameInFile ?? tensor.name) === expected.name && tensor.file === expected.file
        );
      });
      expect(found, expected.name).toMatchObject({ dtype: expected.dtype, shape: expected.shape });
      if (expected.role !== 'other') expect(found?.role).toBe(expected.role);
      if (found) expect(await digestOf(source, found, 4096)).toBe(expected.sha256);
      const rank = found?.name.slice(expected.name.length) ?? '';
      // Their order in the file is that of the model: the owner is told, and of the same rank.
      if (expected.parameter) expect(found?.parameter).toBe(expected.parameter + rank);
    }
    expect(await wrongChecksums(opened)).toEqual([]);
    await source.close();
  });

  it('has its groups as they were stored, and a count for every state', async () => {
    const [, expected] = expectedStateOf(name).checkpoints;
    const { optimizers } = await open(join(fixtures, name, 'iter_0000013'));
    for (const { kind, groups, parameters } of optimizers) {
      expect(kind).toBe('adamw');
      const [one] = expected?.optimizers ?? [];
      for (const [g, { parameters: _, ...hyper }] of (one?.groups ?? []).entries()) {
        expect(groups[g]?.hyper).toEqual(hyper);
      }
      expect(new Set(parameters.map(({ step }) => step))).toEqual(new Set([13]));
    }
    expect(optimizers.length).toBe(name === 'megatron-legacy' ? 2 : 1);
  });

  it('is healthy one step later, and every moment was judged', async () => {
    const [base, head] = ['iter_0000012', 'iter_0000013'].map((path) => join(fixtures, name, path));
    const result = await judgePair(base as string, head as string);
    expect(result.verdict).toBe('intact');
    expect(wrongsOf(result)).toEqual([]);
    for (const rule of ['moment-bound', 'moment-increment', 'replay-moments']) {
      expect(judgedShare(result, rule), rule).toBe(1);
    }
  });

  it('waits for the end of each file', async () => {
    const folder = copy(`${name}/iter_0000013`);
    expect(await isComplete(folder)).toBe(true);
    const path = join(folder, 'mp_rank_00/model_optim_rng.pt');
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 30));
    expect(await isComplete(folder)).toBe(false);
  });
});

describe('ranks that the run’s arguments promise', () => {
  it.each([
    ['megatron-legacy', 'mp_rank_01/model_optim_rng.pt'],
    ['megatron-legacy', 'mp_rank_00/model_optim_rng.pt'],
    ['megatron-legacy-distributed', 'mp_rank_00/distrib_optim.pt'],
  ])('%s without %s waits, and says what is missing', async (name, file) => {
    const folder = copy(`${name}/iter_0000013`);
    rmSync(join(folder, file));
    expect(await isComplete(folder)).toBe(false);
    const checkpoint = await open(folder);
    expect(checkpoint.complete).toBe(false);
    expect(told(checkpoint)).toEqual([['shard-missing', file]]);
  });

  it('are of one iteration: the earlier file is named', async () => {
    const folder = copy('megatron-legacy/iter_0000013');
    const file = 'mp_rank_01/model_optim_rng.pt';
    copyFileSync(join(fixtures, 'megatron-legacy/iter_0000012', file), join(folder, file));
    expect(told(await open(folder))).toEqual([['shard-stale', file]]);
  });
});

describe('a flipped bit in a second moment', () => {
  it.each([
    [
      'megatron-legacy',
      'optimizer.optimizer.state.2.exp_avg_sq (mp_rank_01)',
      'mp_rank_01/model_optim_rng.pt',
    ],
    [
      'megatron-legacy-distributed',
      '0.(torch.bfloat16, torch.float32).exp_avg_sq',
      'mp_rank_00/distrib_optim.pt',
    ],
  ])('%s: is found in %s of %s', async (name, tensor, file) => {
    const folder = copy(`${name}/iter_0000013`);
    expect(await flipExponent(folder, tensor, 70)).toBe(file);
    const result = await judgePair(join(fixtures, name, 'iter_0000012'), folder);
    expect(result.verdict).toBe('corrupt');
    const law = result.findings?.find((each) => each.kind === 'law');
    expect(law).toMatchObject({ certainty: 'confirmed', element: { index: 70 }, file });
  });
});
