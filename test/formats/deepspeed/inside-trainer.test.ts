/** `checkpoint-N/global_stepN`, as the Hugging Face Trainer leaves it. By layout: no Trainer ran here. */
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hfTrainer } from '../../../src/formats/hf-trainer.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { folderFormat } from '../folder-format.ts';
import { judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { compareTensors, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';

const temporary = temporaryFolder();
const { isComplete } = folderFormat(hfTrainer);
const judgePair = judgePairs();
const rank1 = 'bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt';
let copies = 0;

/** The Trainer's folder around one tag of a fixture. */
function wrap(name: string, step: number): string {
  copies += 1;
  const folder = join(temporary, `run-${copies}`, `checkpoint-${step}`);
  const tag = `global_step${step}`;
  mkdirSync(folder, { recursive: true });
  cpSync(join(fixtures, name, tag), join(folder, tag), { recursive: true });
  writeFileSync(join(folder, 'latest'), tag);
  writeFileSync(join(folder, 'trainer_state.json'), JSON.stringify({ global_step: step }));
  return folder;
}

async function open(folder: string) {
  const { checkpoint, source } = await openCheckpoint(folder);
  await source.close();
  return checkpoint;
}

describe.each(['deepspeed-zero1', 'deepspeed-zero3'])('%s inside the Trainer’s folder', (name) => {
  it('is read as it is by itself', async () => {
    const folder = wrap(name, 6);
    const checkpoint = await open(folder);
    expect(checkpoint).toMatchObject({ layout: 'hf-trainer', step: 6, complete: true });
    expect(checkpoint.problems).toEqual([]);
    const [, expected] = expectedStateOf(name).checkpoints;
    if (expected) compareTensors(checkpoint, expected);
    expect(await isComplete(folder)).toBe(true);
  });

  it('is healthy one step later, and every moment was judged', async () => {
    const result = await judgePair(wrap(name, 5), wrap(name, 6));
    expect(result.verdict).toBe('intact');
    expect(wrongsOf(result)).toEqual([]);
    expect(judgedShare(result, 'moment-increment')).toBe(1);
  });

  it('waits for every rank, and names the one that is missing', async () => {
    const folder = wrap(name, 6);
    rmSync(join(folder, 'global_step6', rank1));
    expect(await isComplete(folder)).toBe(false);
    const { complete, problems } = await open(folder);
    expect(complete).toBe(false);
    const file = `global_step6/${rank1}`;
    expect(problems).toMatchObject([{ rule: 'shard-missing', kind: 'damage', file }]);
  });
});

it('tells a rank’s file of an earlier save', async () => {
  const folder = wrap('deepspeed-zero3', 6);
  const older = join(fixtures, 'deepspeed-zero3/global_step5', rank1);
  copyFileSync(older, join(folder, 'global_step6', rank1));
  const file = `global_step6/${rank1}`;
  expect((await open(folder)).problems).toMatchObject([{ rule: 'shard-stale', file }]);
});

it('takes the tag that is marked where an older one was left', async () => {
  const folder = wrap('deepspeed-zero1', 6);
  const older = join(fixtures, 'deepspeed-zero1/global_step5');
  cpSync(older, join(folder, 'global_step5'), { recursive: true });
  const { tensors, step } = await open(folder);
  expect(step).toBe(6);
  expect(new Set(tensors.map(({ file }) => file.split('/')[0]))).toEqual(new Set(['global_step6']));
});
