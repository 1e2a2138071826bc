/** Optimizer states that DeepSpeed lays out otherwise than its defaults do. */
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { folderFormat, told } from '../folder-format.ts';
import { expectedOf } from '../golden.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { expectAsSaved } from './as-saved.ts';

const temporary = temporaryFolder();
const judgePair = judgePairs();
const { open } = folderFormat(deepspeed);
const rank1 = 'bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt';

function copy(path: string): string {
  const folder = join(temporary, path);
  cpSync(join(fixtures, path), folder, { recursive: true });
  return folder;
}

describe.each([
  'deepspeed-round-robin',
  'deepspeed-muon',
  'deepspeed-elastic',
  'deepspeed-nadam',
  'deepspeed-fused',
])('%s', (name) => {
  const { checkpoints } = expectedStateOf(name);

  it.each(checkpoints)('$path is put together as the framework has it', async (expected) => {
    await expectAsSaved(name, expected);
  });
});

describe.each(['deepspeed-round-robin', 'deepspeed-fused'])('%s', (name) => {
  const [pair] = expectedOf(name).pairs ?? [];
  const [base, head] = [pair?.base, pair?.head].map((path) => join(fixtures, name, path ?? ''));

  it('is healthy one step later, and every moment was judged', async () => {
    const result = await judgePair(base as string, head as string);
    expect(result.verdict).toBe('intact');
    expect(wrongsOf(result)).toEqual([]);
    for (const rule of ['moment-bound', 'moment-increment', 'bits-agree']) {
      // Without 16-bit weights nothing is a copy of anything.
      const isAbsent = rule === 'bits-agree' && name === 'deepspeed-fused';
      expect(judgedShare(result, rule), rule).toBe(isAbsent ? 0 : 1);
    }
  });
});

describe('round_robin_gradients', () => {
  it('is said, because the tables of slices are of another order', async () => {
    const { problems } = await open(join(fixtures, 'deepspeed-round-robin/global_step4'));
    const notes = problems.filter(({ message }) => message.includes('round_robin_gradients'));
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatchObject({ kind: 'info' });
  });

  it('does not excuse tables that say a third order', async () => {
    const folder = copy('deepspeed-round-robin/global_step4');
    const path = join(folder, rank1);
    const bytes = readFileSync(path);
    // The pickle names each parameter once, in the table of this rank's slices.
    const at = bytes.indexOf('down.weight');
    expect(at).toBeGreaterThan(0);
    bytes.write('none.weight', at, 'latin1');
    writeFileSync(path, bytes);
    expect(told(await open(folder)).map((one) => (one as string[])[0])).toContain('header-invalid');
  });

  it('does not hide a bit that flipped in a second moment', async () => {
    const folder = copy('deepspeed-round-robin/global_step4');
    const file = await flipExponent(folder, 'optimizer.state.up.weight.exp_avg_sq', 3);
    const base = join(fixtures, 'deepspeed-round-robin/global_step3');
    const { verdict, findings } = await judgePair(base, folder);
    expect(verdict).toBe('corrupt');
    const law = findings?.find(
      ({ kind, certainty }) => kind === 'law' && certainty === 'confirmed',
    );
    expect(law).toMatchObject({ parameter: 'module.up.weight', element: { index: 3 }, file });
  });
});

describe('FusedAdam over the parameters themselves', () => {
  it('counts for the whole group with the counter of its last parameter', async () => {
    const { optimizers } = await open(join(fixtures, 'deepspeed-fused/global_step4'));
    const [stored] = expectedStateOf('deepspeed-fused').checkpoints[1]?.optimizers ?? [];
    expect(new Set(Object.values(stored?.steps ?? {}))).toEqual(new Set([0, 4]));
    expect(optimizers[0]?.parameters.map(({ step }) => step)).toEqual([4, 4, 4, 4]);
  });
});

it('NAdam is known by its second counter, and its states are judged', async () => {
  const head = join(fixtures, 'deepspeed-nadam/global_step4');
  expect((await open(head)).optimizers.map(({ kind }) => kind)).toEqual(['nadam']);
});

describe('elastic states, without groups', () => {
  it('have their counters, and leave what only groups say unknown', async () => {
    const { optimizers } = await open(join(fixtures, 'deepspeed-elastic/global_step4'));
    expect(optimizers).toMatchObject([{ kind: null, groups: [{ hyper: {} }] }]);
    expect(optimizers[0]?.parameters.map(({ step }) => step)).toEqual([4, 4, 4, 4]);
  });

  it('are refused where a rank has them in the other form', async () => {
    const folder = copy('deepspeed-elastic/global_step4');
    copyFileSync(join(fixtures, 'deepspeed-nadam/global_step4', rank1), join(folder, rank1));
    expect(told(await open(folder))).toContainEqual(['shard-stale', rank1]);
  });
});
