import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { locate } from '../../src/checkpoint/locate.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { copyOf } from './altered-copy.ts';
import { digestOf, expectedOf, fixtures } from './golden.ts';
import { outcomeOf } from './outcome.ts';

const first = 'shard-00001-model-00001-of-00001.safetensors';
const second = 'shard-00002-model-00001-of-00001.safetensors';

describe('safetensors shards of a distributed checkpoint', () => {
  it.each(expectedOf('dcp-hf').checkpoints)('$path: the tensors of all ranks', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'dcp-hf', expected.path));
    expect(checkpoint).toMatchObject({ complete: true, problems: [] });
    expect(checkpoint.tensors).toHaveLength(expected.tensors.length);
    for (const one of expected.tensors) {
      const tensor = checkpoint.tensors.find(({ name }) => name === one.name);
      expect(tensor).toMatchObject({ dtype: one.dtype, shape: one.shape, role: one.role });
      if (tensor) expect(await digestOf(source, tensor, 8), one.name).toBe(one.sha256);
    }
    await source.close();
  });

  it('know the rank of every element', async () => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, 'dcp-hf/unconsolidated'));
    await source.close();
    const tensor = checkpoint.tensors.find(({ name }) => name === 'model.first.weight');
    if (tensor) expect(locate(tensor, 34)).toMatchObject({ rank: 0, file: first });
    if (tensor) expect(locate(tensor, 35)).toMatchObject({ rank: 1, file: second });
  });

  it('are not complete without the first rank', async () => {
    const folder = copyOf('dcp-hf/unconsolidated');
    rmSync(join(folder, first));
    const { kind, checkpoint } = await outcomeOf(folder);
    expect(kind).toBe('problem');
    expect(checkpoint?.complete).toBe(false);
    expect(checkpoint?.problems).toContainEqual(
      expect.objectContaining({ rule: 'shard-missing', file: first }),
    );
  });

  it('of two saves that do not fit are damage', async () => {
    const folder = copyOf('dcp-hf/unconsolidated');
    // Rank 1 says where its rows begin: the same digits, another place.
    const bytes = readFileSync(join(folder, second)).toString('latin1');
    expect(bytes).toContain('saved_offsets\\": [5, 0]');
    const moved = bytes.replace('saved_offsets\\": [5, 0]', 'saved_offsets\\": [4, 0]');
    writeFileSync(join(folder, second), Buffer.from(moved, 'latin1'));
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint?.problems).toMatchObject([
      { rule: 'shape-mismatch', kind: 'damage', tensor: 'model.first.weight' },
    ]);
    expect(checkpoint?.complete).toBe(false);
  });

  it('do not hide consolidated weights', async () => {
    const folder = copyOf('dcp-hf/consolidated');
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint?.layout).toBe('safetensors-sharded');
    renameSync(join(folder, 'sharded'), join(folder, 'other'));
    expect((await outcomeOf(folder)).kind).toBe('fine');
  });
});
