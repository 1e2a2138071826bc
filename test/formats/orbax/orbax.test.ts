import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { findCheckpoints, isRunFolder } from '../../../src/formats/find-checkpoints.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { orbax } from '../../../src/formats/orbax/orbax.ts';
import { sight } from '../../../src/formats/sighting.ts';
import { openLocalSource } from '../../../src/sources/local.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { digestOf, expectedOf, fixtures } from '../golden.ts';
import { outcomeOf } from '../outcome.ts';
import { compareTensors } from '../torch-zip/golden-state.ts';

const temporary = temporaryFolder();
let copies = 0;

/** A copy of a healthy checkpoint that a test may damage. */
function copy(from: string, name = from.replace(/.*\//, '')): string {
  copies += 1;
  const folder = join(temporary, `copy-${copies}`, name);
  cpSync(join(fixtures, from), folder, { recursive: true });
  return folder;
}

async function open(folder: string): Promise<Checkpoint> {
  const { checkpoint, source } = await openCheckpoint(folder);
  await source.close();
  return checkpoint;
}

async function isComplete(folder: string): Promise<boolean> {
  return orbax.complete(await sight(await openLocalSource(folder)));
}

const cases = [
  'orbax-ocdbt',
  'orbax-ocdbt-zarr3',
  'orbax-zarr2',
  'orbax-zarr3',
  'orbax-manager',
] as const;

describe.each(cases)('%s', (name) => {
  it.each(expectedOf(name).checkpoints)('$path lists what Orbax saved', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, expected.path));
    const { layout, step, complete, problems } = checkpoint;
    expect({ layout, step, complete, problems }).toEqual({
      layout: 'orbax',
      step: expected.step,
      complete: true,
      problems: [],
    });
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const found = checkpoint.tensors.find((each) => each.name === one.name);
      if (found) expect(await digestOf(source, found), one.name).toBe(one.sha256);
    }
    await source.close();
  });
});

describe('optimizer state', () => {
  it('has one count for each of its parameters, and a kind that nobody wrote down', async () => {
    const { optimizers } = await open(join(fixtures, 'orbax-ocdbt/step-5'));
    expect(optimizers).toMatchObject([{ kind: null, prefix: 'opt_state.0.', groups: [] }]);
    const states = optimizers[0]?.parameters ?? [];
    expect(states.map(({ step, stepScope }) => [step, stepScope])).toEqual(
      Array.from({ length: 4 }, () => [5, 'own']),
    );
    expect(states.map(({ parameter }) => parameter).sort()).toEqual([
      'params.dense_0.bias',
      'params.dense_0.kernel',
      'params.dense_1.bias',
      'params.dense_1.kernel',
    ]);
  });

  it('inside an accumulator counts the steps that were taken', async () => {
    const { optimizers, step } = await open(join(fixtures, 'orbax-manager/7'));
    const [momentum, ...others] = optimizers;
    expect(others).toEqual([]);
    expect(step).toBe(7);
    expect(momentum?.parameters.map((each) => each.step)).toEqual([2, 2, 2, 2]);
  });
});

describe('a folder', () => {
  it('of steps is a run, and its checkpoints are found in order', async () => {
    for (const name of ['orbax-ocdbt', 'orbax-manager']) {
      const run = join(fixtures, name);
      expect(await isRunFolder(run), name).toBe(true);
      const found = await findCheckpoints(run);
      expect(found.map(({ path, complete }) => [path, complete])).toEqual(
        expectedOf(name).checkpoints.map(({ path }) => [join(run, path), true]),
      );
    }
  });

  it('that still has the name it is written under is not complete', async () => {
    const folder = copy('orbax-ocdbt/step-5', '5.orbax-checkpoint-tmp-1795262537');
    expect(await isComplete(folder)).toBe(false);
    expect((await open(folder)).complete).toBe(false);
  });

  it('with an item that is still being written is not complete', async () => {
    const folder = copy('orbax-manager/7');
    renameSync(join(folder, 'state'), join(folder, 'state.orbax-checkpoint-tmp'));
    expect(await isComplete(folder)).toBe(false);
  });

  it('without an item that it lists is not complete, and says which', async () => {
    const folder = copy('orbax-manager/7');
    rmSync(join(folder, 'state'), { recursive: true });
    const { complete, problems } = await open(folder);
    expect(complete).toBe(false);
    expect(problems).toMatchObject([{ rule: 'shard-missing', kind: 'damage' }]);
    expect(problems[0]?.message).toContain('"state"');
  });

  it('whose metadata was stamped by no end and marked by none is not complete', async () => {
    const folder = copy('orbax-ocdbt/step-5');
    rmSync(join(folder, 'commit_success.txt'));
    expect(await isComplete(folder)).toBe(true);
    const path = join(folder, '_CHECKPOINT_METADATA');
    const metadata = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...metadata, commit_timestamp_nsecs: null }));
    expect(await isComplete(folder)).toBe(false);
  });
});

describe('damage', () => {
  it.each([
    [0, 'header-invalid'],
    [5, 'file-truncated'],
    [40, 'checksum-mismatch'],
    [112, 'checksum-mismatch'],
  ])('one bit of the manifest at byte %i is %s', async (offset, rule) => {
    const folder = copy('orbax-ocdbt/step-5');
    const path = join(folder, 'manifest.ocdbt');
    const bytes = readFileSync(path);
    bytes[offset] = (bytes[offset] as number) ^ 1;
    writeFileSync(path, bytes);
    const { problems, complete } = await open(folder);
    expect(problems).toMatchObject([{ rule, kind: 'damage', file: 'manifest.ocdbt', offset: 0 }]);
    expect(complete).toBe(false);
  });

  it('of the root node is told at its place, and not as missing arrays', async () => {
    const folder = copy('orbax-ocdbt/step-5');
    const [name = ''] = readdirSync(join(folder, 'd'));
    const bytes = readFileSync(join(folder, 'd', name));
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] as number) ^ 4;
    writeFileSync(join(folder, 'd', name), bytes);
    const { problems, tensors } = await open(folder);
    expect(tensors).toEqual([]);
    expect(problems).toMatchObject([{ rule: 'checksum-mismatch', file: `d/${name}` }]);
  });

  it('a database that was never put together lacks its manifest', async () => {
    const folder = copy('orbax-ocdbt/step-5');
    rmSync(join(folder, 'manifest.ocdbt'));
    const { problems, complete } = await open(folder);
    expect(problems).toMatchObject([{ rule: 'shard-missing', file: 'manifest.ocdbt' }]);
    expect(complete).toBe(false);
  });

  it('a file of values that is missing is told once for each array in it', async () => {
    const folder = copy('zarr-arrays/ocdbt-deep');
    const { tensors } = await open(folder);
    const files = new Set<string>();
    for (const { placement } of tensors) {
      const pieces = placement.kind === 'dense' ? placement.pieces : [];
      for (const { file } of pieces) files.add(file.split('!', 1)[0] as string);
    }
    const [file = ''] = files;
    rmSync(join(folder, file));
    const { problems } = await open(folder);
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) expect(problem).toMatchObject({ rule: 'shard-missing', file });
  });

  it('a chunk that was never written is damage where zeros are written too', async () => {
    const folder = copy('orbax-zarr2/step-5');
    rmSync(join(folder, 'params.dense_0.kernel/0.0'));
    const { problems } = await open(folder);
    expect(problems).toMatchObject([
      { rule: 'shard-missing', kind: 'damage', tensor: 'params.dense_0.kernel' },
    ]);
  });

  it('an array that was never written is damage', async () => {
    const folder = copy('orbax-zarr3/step-5');
    rmSync(join(folder, 'params.dense_0.kernel'), { recursive: true });
    const { problems, complete } = await open(folder);
    expect(problems).toMatchObject([{ rule: 'tensor-missing', tensor: 'params.dense_0.kernel' }]);
    expect(complete).toBe(false);
  });

  it('the index of a shard has a checksum of its own', async () => {
    const folder = copy('orbax-zarr3/step-5');
    const path = join(folder, 'params.dense_0.kernel/c/0/0');
    const bytes = readFileSync(path);
    const at = bytes.length - 10;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
    const { problems } = await open(folder);
    expect(problems).toMatchObject([
      { rule: 'checksum-mismatch', tensor: 'params.dense_0.kernel' },
    ]);
  });

  it('metadata that was cut is told', async () => {
    const folder = copy('orbax-zarr2/step-5');
    const path = join(folder, '_METADATA');
    writeFileSync(path, readFileSync(path).subarray(0, 400));
    const { problems, complete } = await open(folder);
    expect(problems).toMatchObject([{ rule: 'file-truncated', file: '_METADATA' }]);
    expect(complete).toBe(false);
  });
});

describe('a manifest', () => {
  it('with any one bit inverted ends in a typed outcome', async () => {
    const folder = copy('zarr-arrays/ocdbt-plain');
    const path = join(folder, 'manifest.ocdbt');
    const whole = readFileSync(path);
    for (let bit = 0; bit < whole.length * 8; bit += 5) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      writeFileSync(path, bytes);
      expect((await outcomeOf(folder)).kind, `bit ${bit}`).toBe('problem');
    }
  });
});

describe('hostile checkpoints', () => {
  const hostile = join(fixtures, '../hostile');
  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => name.startsWith('orbax-'));

  it.each(names)('%s', async (name) => {
    expect((await outcomeOf(join(hostile, name))).kind).toBe(expected[name]?.kind);
  });
});
