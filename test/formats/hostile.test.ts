import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/checkpoint/problem.ts';
import { outcomeOf } from './outcome.ts';

const folder = join(import.meta.dirname, '../fixtures/hostile');

interface Expectation {
  readonly kind: string;
  readonly note: string;
}

const expected: Record<string, Expectation> = JSON.parse(
  readFileSync(join(folder, 'expected.json'), 'utf8'),
);

/** Where the notes allow a second answer, the one that we give. */
const chosen: Record<string, string> = {
  // Values are for the scan to judge, not for opening.
  'st-bool-two.safetensors': 'fine',
  'st-metadata-number.safetensors': 'fine',
  'st-zero-after-huge.safetensors': 'fine',
  'index-stale-shard': 'fine',
};

const names = readdirSync(folder).filter((name) => /^(st|index|none|trainer)-/.test(name));

describe('hostile files', () => {
  it('are all here', () => {
    const listed = Object.keys(expected).filter((name) => /^(st|index|none|trainer)-/.test(name));
    expect(names.sort()).toEqual(listed.sort());
    expect(names.length).toBeGreaterThan(70);
  });

  it.each(names.map((name) => [name, expected[name] as Expectation] as const))(
    '%s: %o',
    async (name, { kind }) => {
      const outcome = await outcomeOf(join(folder, name));
      expect(outcome.kind, outcome.error?.stack).toBe(chosen[name] ?? kind);
    },
  );

  it('name the file and the place of every problem', async () => {
    for (const name of names) {
      const { checkpoint } = await outcomeOf(join(folder, name));
      for (const problem of checkpoint?.problems ?? []) {
        expect(problem.file, name).not.toBe('');
        expect(problem.message, name).not.toBe('');
      }
    }
  });
});

async function problemsOf(name: string): Promise<readonly Problem[]> {
  return (await outcomeOf(join(folder, name))).checkpoint?.problems ?? [];
}

async function tensorsOf(name: string): Promise<string[]> {
  const { checkpoint } = await outcomeOf(join(folder, name));
  return (checkpoint?.tensors ?? []).map((tensor) => `${tensor.name}: ${tensor.placement.kind}`);
}

describe('problems of a safetensors file', () => {
  it.each([
    ['st-hole', 'bytes-unclaimed', 124, '4 bytes'],
    ['st-leading-hole', 'bytes-unclaimed', 64, '4 bytes'],
    ['st-overlap', 'tensor-overlap', 128, '4 bytes'],
    ['st-same-bytes', 'tensor-overlap', 120, '16 bytes'],
    ['st-trailing', 'trailing-bytes', 80, '4 bytes'],
    ['st-end-past-data', 'file-truncated', 80, '16 bytes'],
    ['st-header-length-past-end', 'file-truncated', 0, 'promised'],
    ['st-header-length-over-cap', 'header-invalid', 0, '100000000'],
    ['st-header-length-zero', 'header-invalid', 0, 'no bytes'],
    ['st-duplicate-name', 'duplicate-name', 69, 'twice'],
    ['st-duplicate-name-escaped', 'duplicate-name', 69, 'twice'],
    ['st-wrong-size', 'shape-mismatch', 9, '12 bytes'],
    ['st-unknown-dtype', 'dtype-unsupported', 9, 'F33'],
    ['st-offset-2-64', 'tensor-out-of-bounds', 9, 'no range'],
    ['st-begin-after-end', 'tensor-out-of-bounds', 9, 'no range'],
  ])('%s: %s at byte %i', async (name, rule, offset, words) => {
    const found = (await problemsOf(`${name}.safetensors`)).filter((one) => one.rule === rule);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ offset, file: `${name}.safetensors` });
    expect(found[0]?.message).toContain(words);
  });

  it('leave the other tensors readable', async () => {
    expect(await tensorsOf('st-unknown-dtype.safetensors')).toEqual(['x: dense']);
    expect(await tensorsOf('st-metadata-number.safetensors')).toEqual(['w: dense']);
    expect(await tensorsOf('st-end-past-data.safetensors')).toEqual(['w: absent']);
    expect(await tensorsOf('st-wrong-size.safetensors')).toEqual(['w: absent']);
    expect(await tensorsOf('st-shape-overflow.safetensors')).toEqual([]);
  });

  it('keep names as they are', async () => {
    expect(await tensorsOf('st-name-prototype.safetensors')).toHaveLength(4);
    expect(await tensorsOf('st-name-nul.safetensors')).toEqual(['w\0x: dense']);
    expect(await tensorsOf('st-name-empty.safetensors')).toEqual([': dense']);
    expect(await tensorsOf('st-no-tensors.safetensors')).toEqual([]);
    expect(await tensorsOf('st-many-empty.safetensors')).toHaveLength(901);
  });
});

describe('problems of an index', () => {
  it.each([
    ['index-missing-shard', 'shard-missing', 'damage', 'model-00002-of-00002.safetensors'],
    ['index-missing-tensor', 'tensor-missing', 'damage', 'model-00001-of-00002.safetensors'],
    ['index-unlisted-tensor', 'tensor-unlisted', 'damage', 'model-00001-of-00002.safetensors'],
    ['index-in-two', 'duplicate-name', 'damage', 'model-00002-of-00002.safetensors'],
    ['index-stale-shard', 'shard-stale', 'info', 'model-00002-of-00003.safetensors'],
    ['index-wrong-total', 'note', 'info', 'model.safetensors.index.json'],
    ['index-duplicate-key', 'duplicate-name', 'security', 'model.safetensors.index.json'],
    ['index-traversal', 'path-escape', 'security', 'model.safetensors.index.json'],
  ])('%s: %s (%s) in %s', async (name, rule, kind, file) => {
    expect(await problemsOf(name)).toContainEqual(expect.objectContaining({ rule, kind, file }));
  });

  it('never take weights from a stale shard', async () => {
    const { checkpoint } = await outcomeOf(join(folder, 'index-stale-shard'));
    const files = checkpoint?.files.map((file) => file.name);
    expect(files).not.toContain('model-00002-of-00003.safetensors');
    expect(checkpoint?.tensors.map((tensor) => tensor.name)).toEqual(['a']);
  });
});

describe('content that is no checkpoint', () => {
  it.each([
    ['none-lfs.safetensors', 'git-lfs', 'git lfs pull'],
    ['none-html.safetensors', 'HTML', 'download'],
    ['none-gzip.pt.gz', 'gzip', 'gunzip'],
    ['none-png.pt', 'PNG', 'name the checkpoint'],
    ['none-elf.pt', 'program', 'name the checkpoint'],
    ['none-json.json', 'JSON', 'folder'],
    ['none-text.pt', 'text', 'name the checkpoint'],
    ['none-readme.md', 'text', 'name the checkpoint'],
    ['none-random.bin', 'no known layout', 'laika validate'],
    ['st-header-length-max.safetensors', 'no known layout', 'laika validate'],
    ['none-folder.pt', 'no checkpoint in this folder', 'name a checkpoint'],
  ])('%s is told: %s, with what to do: %s', async (name, what, next) => {
    const { error } = await outcomeOf(join(folder, name));
    expect(error?.message).toContain(what);
    expect((error as { details?: { next?: string } }).details?.next).toContain(next);
  });

  it('an empty file under a checkpoint’s name is damage', async () => {
    const { checkpoint } = await outcomeOf(join(folder, 'none-empty.pt'));
    expect(checkpoint?.complete).toBe(false);
    expect(checkpoint?.problems).toMatchObject([{ rule: 'file-truncated', kind: 'damage' }]);
  });
});
