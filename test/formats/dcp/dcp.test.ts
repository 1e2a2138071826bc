import { cpSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { locate } from '../../../src/checkpoint/locate.ts';
import { mixedSaves } from '../../../src/formats/dcp/mixed-saves.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { copyOf, emptyFolder } from '../altered-copy.ts';
import { digestOf, expectedOf } from '../golden.ts';
import { judgePair, serious } from '../judge-pair.ts';
import { outcomeOf } from '../outcome.ts';
import { compareTensors, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { wrongChecksums } from '../torch-zip/opened.ts';

/** A copy that can be damaged; its metadata was written last. */
function datedCopyOf(name: string): string {
  const folder = copyOf(name);
  date(folder, ['__0_0.distcp', '__1_0.distcp'], 1000);
  date(folder, ['.metadata'], 1001);
  return folder;
}

function date(folder: string, files: readonly string[], seconds: number): void {
  for (const file of files) utimesSync(join(folder, file), seconds, seconds);
}

async function problemsOf(folder: string) {
  return (await outcomeOf(folder)).checkpoint?.problems ?? [];
}

it('tells weights from states that were saved in one flat dictionary', async () => {
  const folder = join(fixtures, 'dcp-merged');
  const expected: { parameters: string[]; owners: Record<string, string> } = JSON.parse(
    readFileSync(join(folder, 'expected.json'), 'utf8'),
  );
  const { checkpoint, source } = await openCheckpoint(join(folder, 'step-3'));
  await source.close();
  const { tensors, optimizers, step } = checkpoint;
  const parameters = tensors.filter(({ role }) => role === 'parameter').map(({ name }) => name);
  expect(parameters).toEqual(expected.parameters);
  const owned = tensors.filter(({ parameter, mapping }) => parameter !== null && mapping !== null);
  const states = owned.filter(({ name }) => name.startsWith('state.'));
  expect(Object.fromEntries(states.map((each) => [each.name, each.parameter]))).toEqual(
    expected.owners,
  );
  expect(optimizers.map(({ kind }) => kind)).toEqual(['adamw']);
  expect(step).toBe(3);
});

describe.each(['dcp', 'dcp-zstd', 'dcp-flat-optimizer'])('%s', (name) => {
  const { checkpoints } = expectedStateOf(name);
  const here = checkpoints.filter(({ path }) => name !== 'dcp' || path !== 'step-9');

  it.each(here)('$path lists what torch saved', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, expected.path));
    expect(checkpoint.problems.filter(({ kind }) => kind !== 'info')).toEqual([]);
    expect(checkpoint).toMatchObject({ layout: 'dcp', complete: true, step: expected.step });
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const tensor = checkpoint.tensors.find((each) => each.name === one.name);
      if (tensor) expect(await digestOf(source, tensor, 7), one.name).toBe(one.sha256);
    }
    expect(checkpoint.checksums.length).toBeGreaterThanOrEqual(expected.tensors.length);
    expect(await wrongChecksums({ checkpoint, source })).toEqual([]);
    await source.close();
  });

  it.each(here)('$path has its hyper-parameters and counters', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, expected.path));
    await source.close();
    const [written] = expected.optimizers;
    const { parameters: owners, ...hyper } = written?.groups[0] ?? { parameters: [] };
    const [optimizer] = checkpoint.optimizers;
    expect(checkpoint.optimizers).toHaveLength(1);
    expect(optimizer).toMatchObject({ kind: 'adamw', groups: [{ hyper, keys: owners }] });
    expect(optimizer?.parameters.map(({ parameter }) => parameter)).toEqual(owners);
    for (const { step } of optimizer?.parameters ?? []) expect(step).toBe(expected.step);
  });
});

describe('a checkpoint that was saved without collectives', () => {
  const [expected] = expectedOf('dcp-per-rank').checkpoints;
  const path = join(fixtures, 'dcp-per-rank/step-1');

  it('is one of each rank: equal names are told apart, not joined', async () => {
    const { checkpoint, source } = await openCheckpoint(path);
    const names = checkpoint.tensors.map(({ name }) => name);
    expect(names).toEqual(['w (rank 0)', 'b (rank 0)', 'w (rank 1)', 'b (rank 1)']);
    for (const one of expected?.tensors ?? []) {
      const tensor = checkpoint.tensors.find((each) => {
        return each.nameInFile === one.name && each.file === one.file;
      });
      expect(tensor).toMatchObject({ dtype: one.dtype, shape: one.shape });
      if (tensor) expect(await digestOf(source, tensor)).toBe(one.sha256);
    }
    await source.close();
  });
});

describe('shards', () => {
  it('of one tensor are one tensor, and every element knows its rank and its file', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'dcp/step-4'));
    const tensor = checkpoint.tensors.find(({ name }) => name === 'model.first.weight');
    expect(tensor).toMatchObject({ shape: [9, 7], placement: { kind: 'dense' } });
    // Rank 0 holds the first five rows.
    if (tensor) {
      expect(locate(tensor, 34)).toMatchObject({ rank: 0, file: '__0_0.distcp' });
      expect(locate(tensor, 35)).toMatchObject({ rank: 1, file: '__1_0.distcp' });
    }
    await source.close();
  });

  it('in zstd frames are parts of files', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'dcp-zstd/step-9'));
    await source.close();
    const codecs = new Set(checkpoint.encoded?.map(({ codec }) => codec));
    expect([...codecs]).toEqual(['zstd']);
    // Twelve tensors in two shards each, and four counters.
    expect(checkpoint.encoded).toHaveLength(28);
  });
});

describe('a healthy pair', () => {
  it('is intact, and the laws see every second moment', async () => {
    const result = await judgePair(join(fixtures, 'dcp/step-5'), join(fixtures, 'dcp/step-4'));
    expect(serious(result)).toEqual([]);
    expect(result.verdict).toBe('intact');
    const replay = result.coverage?.rules.find(({ rule }) => rule === 'replay-moments');
    expect(replay).toMatchObject({ elements: 102, of: 102 });
  });
});

describe('damage', () => {
  it('in a second moment of one rank is confirmed with its element', async () => {
    const folder = datedCopyOf('dcp/step-5');
    const { checkpoint, source } = await openCheckpoint(folder);
    await source.close();
    const name = 'optim.state.first.weight.exp_avg_sq';
    const tensor = checkpoint.tensors.find((each) => each.name === name);
    const place = tensor && locate(tensor, 44);
    const file = join(folder, place?.file ?? '');
    const bytes = readFileSync(file);
    const last = (place?.offset ?? 0) + 3;
    bytes[last] = (bytes[last] as number) ^ 0x40;
    writeFileSync(file, bytes);
    const result = await judgePair(folder, join(fixtures, 'dcp/step-4'));
    expect(result.verdict).toBe('corrupt');
    const confirmed = serious(result).filter(({ certainty }) => certainty === 'confirmed');
    expect(confirmed).toContainEqual(
      expect.objectContaining({ rule: 'checksum-mismatch', tensor: name, file: '__1_0.distcp' }),
    );
    expect(confirmed).toContainEqual(
      expect.objectContaining({
        tensor: name,
        parameter: 'model.first.weight',
        element: { index: 44, coordinates: [6, 2] },
        rank: 1,
        file: '__1_0.distcp',
      }),
    );
  });

  it('of a missing file, a missing metadata or a cut one leaves the checkpoint incomplete', async () => {
    for (const file of ['__0_0.distcp', '__1_0.distcp', '.metadata']) {
      const missing = datedCopyOf('dcp/step-5');
      rmSync(join(missing, file));
      const gone = (await outcomeOf(missing)).checkpoint;
      expect(gone).toMatchObject({ complete: false, layout: 'dcp' });
      expect(gone?.problems).toContainEqual(
        expect.objectContaining({ rule: 'shard-missing', kind: 'damage', file }),
      );
      const cut = datedCopyOf('dcp/step-5');
      const bytes = readFileSync(join(cut, file));
      writeFileSync(join(cut, file), bytes.subarray(0, bytes.length * 0.8));
      const short = (await outcomeOf(cut)).checkpoint;
      expect(short?.complete).toBe(false);
      expect(short?.problems.some(({ kind }) => kind === 'damage')).toBe(true);
    }
  });

  it('of bytes behind the last item is told with its place', async () => {
    const folder = datedCopyOf('dcp/step-5');
    const file = join(folder, '__0_0.distcp');
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(16)]));
    const found = { rule: 'trailing-bytes', kind: 'damage', file: '__0_0.distcp', offset: 19500 };
    expect(await problemsOf(folder)).toContainEqual(expect.objectContaining(found));
  });

  it('inside an item’s pickle fails its checksum at its place in the real file', async () => {
    const folder = datedCopyOf('dcp/step-5');
    const file = join(folder, '__0_0.distcp');
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] as number) ^ 8;
    writeFileSync(file, bytes);
    const [first] = await problemsOf(folder);
    expect(first).toMatchObject({ rule: 'checksum-mismatch', file: '__0_0.distcp' });
    expect(first?.offset).toBeLessThanOrEqual(100);
  });

  it('in a zstd frame is damage, not a crash', async () => {
    const folder = datedCopyOf('dcp-zstd/step-9');
    const file = join(folder, '__0_0.distcp');
    const bytes = readFileSync(file);
    bytes.fill(0xff, 8, 40);
    writeFileSync(file, bytes);
    const outcome = await outcomeOf(folder);
    expect(outcome.kind).toBe('problem');
    expect(outcome.checkpoint?.tensors.some(({ placement }) => placement.kind === 'absent')).toBe(
      true,
    );
  });
});

describe('a save that was killed over an older one', () => {
  it('is told where its files are newer than the metadata', async () => {
    const folder = datedCopyOf('dcp/step-5');
    date(folder, ['__1_0.distcp'], 2000);
    const found = (await problemsOf(folder)).filter(({ file }) => file === '.metadata');
    expect(found).toMatchObject([{ rule: 'note', kind: 'info' }]);
    expect(found[0]?.message).toContain('written after it: __1_0.distcp');
  });

  it('is damage where the counters of its files disagree as well', () => {
    const of = (name: string, modifiedMs: number) => ({
      name,
      sizeBytes: 1,
      identity: '',
      modifiedMs,
    });
    const files = [of('.metadata', 5000), of('__0_0.distcp', 90_000), of('__1_0.distcp', 4000)];
    const steps = (first: number[], second: number[]) =>
      new Map([
        ['__0_0.distcp', new Set(first)],
        ['__1_0.distcp', new Set(second)],
      ]);
    const rules = (found: ReturnType<typeof mixedSaves>) => found.map(({ rule }) => rule);
    expect(rules(mixedSaves(files, steps([9], [5])))).toEqual(['shard-stale']);
    // Parameters may skip steps: in one file that says nothing about saves.
    expect(rules(mixedSaves(files, steps([9, 5], [9])))).toEqual(['note']);
    expect(rules(mixedSaves(files, steps([9], [9])))).toEqual(['note']);
    const fresh = [of('.metadata', 100_000), ...files.slice(1)];
    expect(mixedSaves(fresh, steps([9], [5]))).toEqual([]);
  });
});

describe('a sharded checkpoint of Lightning', () => {
  it('has its step and its schedulers in meta.pt', async () => {
    const folder = datedCopyOf('dcp/step-5');
    cpSync(join(fixtures, 'lightning/epoch=0-step=9.ckpt'), join(folder, 'meta.pt'));
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint).toMatchObject({ layout: 'lightning', complete: true, step: 9 });
    expect(checkpoint?.tensors).toHaveLength(16);
    const bytes = readFileSync(join(folder, 'meta.pt'));
    writeFileSync(join(folder, 'meta.pt'), bytes.subarray(0, bytes.length - 30));
    expect((await outcomeOf(folder)).checkpoint?.complete).toBe(false);
  });
});

describe('a checkpoint of OLMo-core', () => {
  it('is the folder in it, and complete once its own metadata is there', async () => {
    const folder = emptyFolder();
    cpSync(join(fixtures, 'dcp/step-5'), join(folder, 'model_and_optim'), { recursive: true });
    expect((await outcomeOf(folder)).checkpoint).toMatchObject({ layout: 'dcp', complete: false });
    writeFileSync(join(folder, '.metadata.json'), '{"version": "1.0"}');
    const { kind, checkpoint } = await outcomeOf(folder);
    expect(kind).toBe('fine');
    expect(checkpoint).toMatchObject({ complete: true, step: 5 });
    expect(checkpoint?.tensors).toHaveLength(16);
  });
});

describe('hostile metadata', () => {
  const hostile = join(import.meta.dirname, '../../fixtures/hostile');
  const expected: Record<string, { kind: string; note: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => name.startsWith('dcp-'));

  it.each(names.map((name) => [name, expected[name]?.kind ?? ''] as const))(
    '%s: %s',
    async (name, kind) => {
      const outcome = await outcomeOf(join(hostile, name));
      expect(outcome.kind, outcome.error?.stack).toBe(kind);
    },
  );

  it.each([
    ['dcp-traversal', 'path-escape'],
    ['dcp-absolute', 'path-escape'],
    ['dcp-calls', 'code-in-pickle'],
    ['dcp-item-calls', 'code-in-pickle'],
    ['dcp-chunk-hole', 'shape-mismatch'],
    ['dcp-chunk-overlap', 'tensor-overlap'],
    ['dcp-past-end', 'file-truncated'],
    ['dcp-stale-tail', 'trailing-bytes'],
    ['dcp-missing-file', 'shard-missing'],
    ['dcp-chunk-unstored', 'tensor-missing'],
  ])('%s is told under its rule (%s)', async (name, rule) => {
    const rules = (await problemsOf(join(hostile, name))).map((problem) => problem.rule);
    expect(rules).toContain(rule);
  });
});
