/** What the laws say about optimizer states that lie in pieces over several ranks' files. */
import { copyFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';

const temporary = temporaryFolder();
const judgePair = judgePairs();
const rank1 = 'bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt';

function copy(path: string): string {
  const folder = join(temporary, path);
  cpSync(join(fixtures, path), folder, { recursive: true });
  return folder;
}

describe.each([
  'deepspeed-zero1',
  'deepspeed-zero2-aligned',
  'deepspeed-zero3',
  'deepspeed-bf16-optimizer',
  'deepspeed-fp16',
])('%s', (name) => {
  const [pair] = expectedOf(name).pairs ?? [];

  it('is healthy one step later, and every moment was judged', async () => {
    const [base, head] = [pair?.base, pair?.head].map((path) => join(fixtures, name, path ?? ''));
    const result = await judgePair(base as string, head as string);
    expect(result.verdict).toBe('intact');
    expect(wrongsOf(result)).toEqual([]);
    for (const rule of ['moment-bound', 'moment-increment', 'replay-moments', 'replay-weights']) {
      expect(judgedShare(result, rule), rule).toBe(1);
    }
    // ZeRO 3 keeps no 16-bit weights beside the masters.
    expect(judgedShare(result, 'bits-agree')).toBe(name === 'deepspeed-zero3' ? 0 : 1);
  });
});

describe('a bit that flipped in rank 1’s share of a second moment', () => {
  it.each([
    ['deepspeed-zero1', 46],
    // Rank 1 holds the second half of each parameter.
    ['deepspeed-zero3', 46],
  ])('%s: is found as element %i of the parameter, in that file', async (name, element) => {
    const folder = copy(`${name}/global_step6`);
    const tensor = 'optimizer.state.up.weight.exp_avg_sq';
    expect(await flipExponent(folder, tensor, element)).toBe(rank1);
    const { verdict, findings } = await judgePair(join(fixtures, name, 'global_step5'), folder);
    expect(verdict).toBe('corrupt');
    const law = findings?.find(
      ({ kind, certainty }) => kind === 'law' && certainty === 'confirmed',
    );
    expect(law).toMatchObject({ parameter: 'module.up.weight', element: { index: element } });
    expect(law).toMatchObject({ file: rank1, rank: 1 });
    expect(findings).toContainEqual(
      expect.objectContaining({ rule: 'checksum-mismatch', file: rank1 }),
    );
  });
});

it('an older file of the model does not round from the masters beside it', async () => {
  const folder = copy('deepspeed-zero1/global_step6');
  const file = 'mp_rank_00_model_states.pt';
  copyFileSync(join(fixtures, 'deepspeed-zero1/global_step5', file), join(folder, file));
  const { verdict, findings } = await judgePair(
    join(fixtures, 'deepspeed-zero1/global_step5'),
    folder,
  );
  expect(verdict).toBe('corrupt');
  expect(findings).toContainEqual(expect.objectContaining({ rule: 'bits-agree', file }));
});
