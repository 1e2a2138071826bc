/** Mixtures of experts: fewer ranks share the vectors of experts, and each set holds its own. */
import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { expertRanks } from '../../../src/formats/deepspeed/expert-vectors.ts';
import type { RankShare } from '../../../src/formats/deepspeed/rank-share.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { folderFormat, told } from '../folder-format.ts';
import { expectedOf } from '../golden.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { expectAsSaved } from './as-saved.ts';

const name = 'deepspeed-experts';
const temporary = temporaryFolder();
const judgePair = judgePairs();
const { open } = folderFormat(deepspeed);
const { checkpoints } = expectedStateOf(name);
const [pair] = expectedOf(name).pairs ?? [];
const [base, head] = [pair?.base, pair?.head].map((path) => join(fixtures, name, path ?? ''));
const fileOf = (rank: number) => `bf16_zero_pp_rank_${rank}_mp_rank_00_optim_states.pt`;

function copy(title: string): string {
  const folder = join(temporary, title);
  cpSync(head as string, folder, { recursive: true });
  return folder;
}

it.each(checkpoints)('$path has every expert, under its number in the model', async (expected) => {
  const { frozen } = await expectAsSaved(name, expected);
  expect(frozen).toEqual([]);
});

it('is healthy one step later, and every expert was judged', async () => {
  const result = await judgePair(base as string, head as string);
  expect(result.verdict).toBe('intact');
  expect(wrongsOf(result)).toEqual([]);
  for (const rule of ['moment-bound', 'moment-increment', 'replay-weights', 'bits-agree']) {
    expect(judgedShare(result, rule), rule).toBe(1);
  }
});

it('a bit in a second moment of the last expert is found in its rank’s file', async () => {
  const folder = copy('moment');
  const expert = 'moe.deepspeed_moe.experts.deepspeed_experts.3.weight';
  const file = await flipExponent(folder, `optimizer.state.${expert}.exp_avg_sq`, 0);
  // Ranks 1 and 3 have the second half of the experts.
  expect([fileOf(1), fileOf(3)]).toContain(file);
  const { findings } = await judgePair(base as string, folder);
  const law = findings?.find(({ kind, certainty }) => kind === 'law' && certainty === 'confirmed');
  const parameter = `layer_0_expert_3_mp_rank_00.${expert}`;
  expect(law).toMatchObject({ parameter, element: { index: 0 }, file });
});

it('an older file of one rank, and a file that is missing, are told', async () => {
  const folder = copy('stale');
  copyFileSync(join(base as string, fileOf(3)), join(folder, fileOf(3)));
  expect(told(await open(folder))).toEqual([['shard-stale', fileOf(3)]]);
  rmSync(join(folder, fileOf(3)));
  expect(told(await open(folder))).toEqual([['shard-missing', fileOf(3)]]);
});

/** Only their ranks count here. */
function sharesOf(ranks: number): ReadonlyMap<number, RankShare> {
  return new Map(Array.from({ length: ranks }, (_none, rank) => [rank, {} as RankShare]));
}

it('sets of experts that a file only claims take no room', () => {
  const claimed = { ranks: 2 ** 40, count: 1, table: new Map() };
  expect(expertRanks(sharesOf(3), claimed, 'apart').map(({ rankOf }) => rankOf(0))).toEqual([
    0, 1, 2,
  ]);
  expect(expertRanks(sharesOf(3), claimed, 'beside').length).toBe(3);
});

it('experts of one rank lie side by side where the data came before them', () => {
  const table = new Map([
    ['a.deepspeed_moe.experts.deepspeed_experts.0.weight', { shape: [2], elements: 2 }],
    ['a.deepspeed_moe.experts.deepspeed_experts.1.weight', { shape: [2], elements: 2 }],
  ]);
  const told = { ranks: 6, count: 2, table };
  const shares = sharesOf(6);
  const ranksIn = (order: 'apart' | 'beside') => {
    return expertRanks(shares, told, order).map(({ rankOf }) => [rankOf(0), rankOf(1)]);
  };
  // As the comments of deepspeed.utils.groups draw both orders.
  expect(ranksIn('apart')).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(ranksIn('beside')).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  const names = expertRanks(shares, told, 'apart').map(({ nameOf }) => {
    return nameOf('a.deepspeed_moe.experts.deepspeed_experts.1.weight');
  });
  expect(names).toEqual(
    [1, 3, 5].map((n) => `a.deepspeed_moe.experts.deepspeed_experts.${n}.weight`),
  );
});
