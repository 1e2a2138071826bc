import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deepspeedUniversal } from '../../../src/formats/deepspeed/universal.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { folderCopies, folderFormat, told } from '../folder-format.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { openPath, wrongChecksums } from '../torch-zip/opened.ts';

const copy = folderCopies();
const { open, isComplete } = folderFormat(deepspeedUniversal);
const judgePair = judgePairs();
const universal = join(fixtures, 'deepspeed-universal');
const [five, six, three] = [
  'stage1/global_step5',
  'stage1/global_step6',
  'stage3/global_step6',
].map((name) => join(universal, `${name}_universal`)) as [string, string, string];

describe.each(expectedStateOf('deepspeed-universal').checkpoints)('$path', (expected) => {
  it('has every tensor that the converter wrote', async () => {
    const opened = await openPath(join(universal, expected.path), deepspeedUniversal);
    const { checkpoint, source } = opened;
    expect(checkpoint).toMatchObject({ layout: 'deepspeed-universal', step: expected.step });
    expect(checkpoint.complete).toBe(true);
    expect(told(checkpoint)).toEqual([]);
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const found = checkpoint.tensors.find((each) => each.name === one.name);
      if (found) expect(await digestOf(source, found, 4096), one.name).toBe(one.sha256);
    }
    expect(await wrongChecksums(opened)).toEqual([]);
    await source.close();
  });

  it('has its groups, and a counter for each parameter', async () => {
    const { optimizers } = await open(join(universal, expected.path));
    const [found] = optimizers;
    const [one] = expected.optimizers;
    expect(found?.kind).toBe('adamw');
    for (const [g, { parameters, ...hyper }] of (one?.groups ?? []).entries()) {
      expect(found?.groups[g]?.hyper).toEqual(hyper);
      expect(found?.groups[g]?.keys).toEqual(parameters);
    }
    const steps = found?.parameters.map(({ key, step }) => [key, step]) ?? [];
    expect(Object.fromEntries(steps)).toEqual(one?.steps);
    expect(await isComplete(join(universal, expected.path))).toBe(true);
  });
});

it('is recognised before the ranks’ folder whose model states it carries', async () => {
  const { checkpoint, source } = await openCheckpoint(three);
  expect(checkpoint.layout).toBe('deepspeed-universal');
  await source.close();
});

describe('what is missing', () => {
  it.each([
    ['zero/up.weight/exp_avg.pt', 'zero/up.weight/exp_avg.pt'],
    ['zero/up.weight', 'zero/up.weight/fp32.pt'],
    ['mp_rank_00_model_states.pt', 'mp_rank_00_model_states.pt'],
  ])('%s is told, and waited for', async (gone, file) => {
    const folder = copy(six);
    rmSync(join(folder, gone), { recursive: true });
    expect(told(await open(folder))).toContainEqual(['shard-missing', file]);
    if (gone !== 'zero/up.weight') expect(await isComplete(folder)).toBe(false);
  });

  it('is not yet written while the converter’s own folder is there', async () => {
    const folder = copy(six);
    mkdirSync(join(folder, 'tmp'));
    writeFileSync(join(folder, 'tmp', '0.pt'), '');
    expect(await isComplete(folder)).toBe(false);
  });
});

describe('a pair one step apart', () => {
  it('is healthy, and every moment was judged', async () => {
    const result = await judgePair(five, six);
    expect(result.verdict).toBe('intact');
    expect(wrongsOf(result)).toEqual([]);
    for (const rule of ['moment-bound', 'moment-increment', 'replay-moments', 'bits-agree']) {
      expect(judgedShare(result, rule), rule).toBe(1);
    }
  });

  it('tells a flipped bit with its parameter, element and file', async () => {
    const folder = copy(six);
    await flipExponent(folder, 'optimizer.state.up.weight.exp_avg_sq', 46);
    const { verdict, findings } = await judgePair(five, folder);
    expect(verdict).toBe('corrupt');
    const law = findings?.find(
      ({ kind, certainty }) => kind === 'law' && certainty === 'confirmed',
    );
    expect(law).toMatchObject({ parameter: 'module.up.weight', element: { index: 46 } });
  });

  it('tells a parameter whose files are of the other save', async () => {
    const folder = copy(six);
    for (const key of ['fp32', 'exp_avg', 'exp_avg_sq', 'step']) {
      const file = `zero/up.weight/${key}.pt`;
      copyFileSync(join(five, file), join(folder, file));
    }
    expect(told(await open(folder))).toEqual([['shard-stale', 'zero/up.weight/step.pt']]);
  });
});
