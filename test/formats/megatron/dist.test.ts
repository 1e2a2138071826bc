import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { megatronDist } from '../../../src/formats/megatron/dist.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { listedTensors } from '../../../src/verdict/document.ts';
import { folderCopies, folderFormat, told } from '../folder-format.ts';
import { flipExponent, judgedShare, judgePairs, wrongsOf } from '../judged-pairs.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { wrongChecksums } from '../torch-zip/opened.ts';

const copy = folderCopies();
const { open, isComplete } = folderFormat(megatronDist);
const judgePair = judgePairs();

describe.each(['megatron-torch-dist', 'megatron-dp-reshardable', 'megatron-tensor-parallel'])(
  '%s',
  (name) => {
    const { checkpoints } = expectedStateOf(name);

    it.each(checkpoints)('$path is put together as it was saved', async (expected) => {
      const path = join(fixtures, name, expected.path);
      const { checkpoint, source } = await openCheckpoint(path);
      const { step } = expected;
      expect(checkpoint).toMatchObject({ layout: 'megatron-dist', step, complete: true });
      expect(checkpoint.problems).toEqual([]);
      const tensors = listedTensors(checkpoint);
      compareTensors({ ...checkpoint, tensors }, expected);
      for (const one of expected.tensors) {
        const found = tensors.find((tensor) => tensor.name === one.name);
        if (found) expect(await digestOf(source, found, 29), one.name).toBe(one.sha256);
      }
      expect(await wrongChecksums({ checkpoint, source })).toEqual([]);
      await source.close();
      expect(await isComplete(path)).toBe(true);
    });

    it('has its groups as they were stored, and a count for every state', async () => {
      const [, expected] = checkpoints;
      const { optimizers } = await open(join(fixtures, name, 'iter_0000013'));
      const [found] = optimizers;
      expect(found?.kind).toBe('adamw');
      for (const [g, { parameters: _, ...hyper }] of (
        expected?.optimizers[0]?.groups ?? []
      ).entries()) {
        expect(found?.groups[g]?.hyper).toEqual(hyper);
      }
      expect(new Set(found?.parameters.map(({ step }) => step))).toEqual(new Set([13]));
      expect(found?.parameters.every(({ master }) => master !== null)).toBe(true);
    });

    it('is healthy one step later, and every moment was judged', async () => {
      const [base, head] = ['iter_0000012', 'iter_0000013'].map((path) =>
        join(fixtures, name, path),
      );
      const result = await judgePair(base as string, head as string);
      expect(result.verdict).toBe('intact');
      expect(wrongsOf(result)).toEqual([]);
      for (const rule of ['moment-bound', 'moment-increment', 'replay-moments']) {
        expect(judgedShare(result, rule), rule).toBe(1);
      }
    });
  },
);

describe('buckets with holes', () => {
  it('are judged where parameters lie, and nowhere else', async () => {
    const folder = join(fixtures, 'megatron-dp-reshardable/iter_0000013');
    const { checkpoint, source } = await openCheckpoint(folder);
    const [expected] = expectedStateOf('megatron-dp-reshardable').checkpoints;
    const model = expected?.tensors.filter(({ role }) => role === 'parameter') ?? [];
    const parameters = model.reduce((sum, { elements }) => sum + elements, 0);
    const parts = checkpoint.tensors.filter(({ role, partOf }) => {
      return role === 'second-moment' && partOf !== undefined;
    });
    expect(parts.reduce((sum, { elements }) => sum + elements, 0)).toBe(parameters);
    for (const part of parts) {
      const bytes = new Uint8Array(4 * part.elements);
      const [piece] = part.placement.kind === 'dense' ? part.placement.pieces : [];
      await source.read(piece?.file ?? '', piece?.offset ?? 0, bytes);
      const values = new Float32Array(bytes.buffer);
      // Squares: what memory held in the holes is negative here and there.
      expect(Math.min(...values), part.name).toBeGreaterThanOrEqual(0);
    }
    await source.close();
  });
});

describe('a flipped bit in a second moment', () => {
  const state = 'optimizer.state.exp_avg_sq';
  const bucket =
    'optimizer.distributed.dp_group_idx_0.gbuf_idx_0.dtype_(torch.bfloat16, torch.float32).' +
    'bucket_idx_0.exp_avg_sq';
  it.each([
    ['megatron-torch-dist', `${state}.decoder.layers.mlp.linear_fc1.weight`, 100, 0],
    // Rank 1 holds the second half of the rows.
    ['megatron-tensor-parallel', `${state}.decoder.layers.mlp.linear_fc1.weight`, 60, 1],
    ['megatron-dp-reshardable', `${bucket}[448:576]`, 70, 1],
  ])('%s: is found in %s, element %i, of rank %i', async (name, tensor, element, rank) => {
    const folder = copy(`${name}/iter_0000013`);
    const file = await flipExponent(folder, tensor, element);
    const result = await judgePair(join(fixtures, name, 'iter_0000012'), folder);
    expect(result.verdict).toBe('corrupt');
    const law = result.findings?.find((each) => each.kind === 'law');
    expect(law).toMatchObject({ certainty: 'confirmed', element: { index: element }, file });
    expect(Number(law?.rank)).toBe(rank);
  });
});

describe('a save that is not finished', () => {
  it.each([['metadata.json'], ['.metadata'], ['__1_0.distcp']])('waits for %s', async (file) => {
    const folder = copy('megatron-tensor-parallel/iter_0000013');
    rmSync(join(folder, file));
    expect(await isComplete(folder)).toBe(false);
    const checkpoint = await open(folder);
    expect(checkpoint.complete).toBe(false);
    expect(told(checkpoint)).toContainEqual(['shard-missing', file]);
  });

  it('waits for the whole of what is not sharded', async () => {
    const folder = copy('megatron-torch-dist/iter_0000013');
    const bytes = readFileSync(join(folder, 'common.pt'));
    writeFileSync(join(folder, 'common.pt'), bytes.subarray(0, 1000));
    expect(await isComplete(folder)).toBe(false);
  });
});

it('says that the folder’s name and the iteration in it differ', async () => {
  const folder = copy('megatron-torch-dist/iter_0000013');
  const file = 'common.pt';
  copyFileSync(join(fixtures, 'megatron-torch-dist/iter_0000012', file), join(folder, file));
  const { problems } = await open(folder);
  expect(problems).toMatchObject([{ rule: 'shard-stale', kind: 'info', file }]);
});

it('is told by the laws when one rank’s file is of another save', async () => {
  const folder = copy('megatron-tensor-parallel/iter_0000013');
  const base = join(fixtures, 'megatron-tensor-parallel/iter_0000012');
  copyFileSync(join(base, '__1_0.distcp'), join(folder, '__1_0.distcp'));
  const { verdict, findings } = await judgePair(base, folder);
  expect(verdict).toBe('corrupt');
  const laws = findings?.filter(
    ({ kind, certainty }) => kind === 'law' && certainty === 'confirmed',
  );
  expect(new Set(laws?.map(({ rank }) => Number(rank)))).toEqual(new Set([1]));
});

it('reads the folder of NeMo 2, whose weights lie one deeper', async () => {
  const folder = copy('megatron-torch-dist/iter_0000013', 'weights');
  mkdirSync(join(folder, 'context'));
  writeFileSync(join(folder, 'context/io.json'), '{}');
  const { checkpoint, source } = await openCheckpoint(folder);
  await source.close();
  expect(checkpoint).toMatchObject({ layout: 'megatron-dist', step: 13, complete: true });
  expect(checkpoint.problems).toMatchObject([{ rule: 'note', file: 'weights/common.pt' }]);
});

describe('integrity.json', () => {
  /** As Megatron's core writes it, by the layout of the format: no core that does was run here. */
  function withManifest(change: (files: Map<string, string>) => void = () => {}): string {
    const folder = copy('megatron-torch-dist/iter_0000013');
    const files = new Map(
      readdirSync(folder).map((name) => {
        const bytes = readFileSync(join(folder, name));
        return [name, createHash('sha256').update(bytes).digest('hex')] as const;
      }),
    );
    change(files);
    const manifest = { algorithm: 'sha256', files: Object.fromEntries(files) };
    writeFileSync(join(folder, 'integrity.json'), JSON.stringify(manifest));
    return folder;
  }
  const base = join(fixtures, 'megatron-torch-dist/iter_0000012');

  it('holds for every file that it names', async () => {
    const folder = withManifest();
    const { checksums, problems } = await open(folder);
    expect(problems).toEqual([]);
    expect(checksums.filter(({ kind }) => kind === 'sha256').length).toBe(5);
    expect(wrongsOf(await judgePair(base, folder))).toEqual([]);
  });

  it('tells a file that was changed, of whatever kind', async () => {
    const folder = withManifest();
    writeFileSync(
      join(folder, 'metadata.json'),
      `${readFileSync(join(folder, 'metadata.json'), 'utf8')} `,
    );
    expect(wrongsOf(await judgePair(base, folder))).toEqual([
      ['checksum-mismatch', 'metadata.json'],
    ]);
  });

  it.each([
    ['a file that is gone', 'gone.distcp', ['shard-missing', 'gone.distcp']],
    ['a name that leaves the folder', '../common.pt', ['path-escape', 'integrity.json']],
  ])('tells %s', async (_what, name, problem) => {
    const folder = withManifest((files) => files.set(name, '0'.repeat(64)));
    expect(told(await open(folder))).toEqual([problem]);
  });

  it('notes a file that was added later', async () => {
    const folder = withManifest((files) => files.delete('common.pt'));
    expect((await open(folder)).problems).toMatchObject([{ rule: 'note', file: 'common.pt' }]);
  });

  it('is damage when it is cut', async () => {
    const folder = withManifest();
    writeFileSync(join(folder, 'integrity.json'), '{"algorithm": "sha2');
    expect(told(await open(folder))).toEqual([['header-invalid', 'integrity.json']]);
  });
});
