/** Pipelines: the weights lie in a file for each layer, the states with each stage. */
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { folderFormat, told } from '../folder-format.ts';
import { expectedOf } from '../golden.ts';
import { flipExponent, judgedShare, judgePairs, placeOf, wrongsOf } from '../judged-pairs.ts';
import { expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { expectAsSaved } from './as-saved.ts';

const name = 'deepspeed-pipeline';
const temporary = temporaryFolder();
const judgePair = judgePairs();
const { open, isComplete } = folderFormat(deepspeed);
const { checkpoints } = expectedStateOf(name);
const [pair] = expectedOf(name).pairs ?? [];
const [base, head] = [pair?.base, pair?.head].map((path) => join(fixtures, name, path ?? ''));

function copy(title: string): string {
  const folder = join(temporary, title);
  cpSync(head as string, folder, { recursive: true });
  return folder;
}

it.each(checkpoints)('$path has the weights of its layers beside the states', async (expected) => {
  const { frozen } = await expectAsSaved(name, expected);
  expect(frozen).toEqual([]);
});

it('is healthy one step later, and the layers were held against their masters', async () => {
  const result = await judgePair(base as string, head as string);
  expect(result.verdict).toBe('intact');
  expect(wrongsOf(result)).toEqual([]);
  for (const rule of ['moment-bound', 'moment-increment', 'replay-weights', 'bits-agree']) {
    expect(judgedShare(result, rule), rule).toBe(1);
  }
});

describe('damage', () => {
  it('in the weights of a layer is found against the master of its stage', async () => {
    const folder = copy('layer');
    const { file, offset } = await placeOf(folder, 'layer_02.up.weight', 0);
    const bytes = readFileSync(join(folder, file));
    // The first bfloat16 of the tensor: the sign and half of the exponent.
    bytes[offset + 1] = (bytes[offset + 1] as number) ^ 0x40;
    writeFileSync(join(folder, file), bytes);
    const { verdict, findings } = await judgePair(base as string, folder);
    expect(verdict).toBe('corrupt');
    const copies = findings?.find(({ rule }) => rule === 'bits-agree');
    expect(copies).toMatchObject({ certainty: 'confirmed', element: { index: 0 } });
    expect(JSON.stringify(copies)).toContain('layer_02.up.weight');
  });

  it('in a second moment of the second stage is found with its file', async () => {
    const folder = copy('moment');
    const file = await flipExponent(folder, 'mp_rank_01.optimizer.state.2.up.weight.exp_avg_sq', 3);
    const { findings } = await judgePair(base as string, folder);
    const law = findings?.find(
      ({ kind, certainty }) => kind === 'law' && certainty === 'confirmed',
    );
    expect(law).toMatchObject({ parameter: 'layer_02.up.weight', element: { index: 3 }, file });
  });

  it('is told of a layer that lost its end, and such a folder is not complete', async () => {
    const folder = copy('truncated');
    truncateSync(join(folder, 'layer_01-model_states.pt'), 700);
    expect(await isComplete(folder)).toBe(false);
    expect(told(await open(folder))).toContainEqual(['file-truncated', 'layer_01-model_states.pt']);
  });

  it('is told of a layer that is missing', async () => {
    const folder = copy('missing-layer');
    rmSync(join(folder, 'layer_02-model_states.pt'));
    const checkpoint = await open(folder);
    expect(checkpoint.complete).toBe(false);
    expect(told(checkpoint)).toEqual([['shard-missing', 'layer_02-model_states.pt']]);
  });

  it('is told of a stage that is missing as a whole', async () => {
    const folder = copy('missing-stage');
    rmSync(join(folder, 'mp_rank_01_model_states.pt'));
    rmSync(join(folder, 'bf16_zero_pp_rank_0_mp_rank_01_optim_states.pt'));
    expect(await isComplete(folder)).toBe(false);
    const checkpoint = await open(folder);
    expect(checkpoint.complete).toBe(false);
    expect(told(checkpoint)).toEqual([['shard-missing', 'mp_rank_01_model_states.pt']]);
  });
});
