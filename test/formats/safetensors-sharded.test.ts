import {
  copyFileSync,
  cpSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { fixtures } from './golden.ts';
import { outcomeOf } from './outcome.ts';

const folder = temporaryFolder();
const whole = join(fixtures, 'safetensors-sharded');
const index = 'model.safetensors.index.json';
const second = 'model-00002-of-00003.safetensors';

function copy(name: string): string {
  const path = join(folder, name);
  cpSync(whole, path, { recursive: true });
  return path;
}

async function opened(path: string): Promise<Checkpoint> {
  const { checkpoint, error } = await outcomeOf(path);
  if (!checkpoint) throw error;
  return checkpoint;
}

const all = (await opened(whole)).tensors.length;

describe('a sharded checkpoint', () => {
  it('names its index and its shards as files, and the shard of each tensor', async () => {
    const checkpoint = await opened(whole);
    expect(checkpoint.files.map((file) => file.name).sort()).toEqual([
      'model-00001-of-00003.safetensors',
      second,
      'model-00003-of-00003.safetensors',
      index,
    ]);
    const shards = new Set(checkpoint.tensors.map((tensor) => tensor.file));
    expect([...shards].sort()).toEqual(
      checkpoint.files
        .map((file) => file.name)
        .sort()
        .slice(0, 3),
    );
  });

  it('without its index is not complete, and its tensors are still listed', async () => {
    const path = copy('no-index');
    rmSync(join(path, index));
    const checkpoint = await opened(path);
    expect(checkpoint).toMatchObject({ layout: 'safetensors-sharded', complete: false });
    expect(checkpoint.problems).toMatchObject([{ rule: 'shard-missing', file: index }]);
    expect(checkpoint.tensors).toHaveLength(all);
  });

  it('with a cut shard keeps what is there', async () => {
    const path = copy('cut-shard');
    truncateSync(join(path, second), 6000);
    const checkpoint = await opened(path);
    expect(checkpoint.complete).toBe(false);
    expect(checkpoint.problems).toMatchObject([{ rule: 'file-truncated', file: second }]);
    expect(checkpoint.tensors).toHaveLength(all);
    const absent = checkpoint.tensors.filter(({ placement }) => placement.kind === 'absent');
    expect(absent.length).toBeGreaterThan(0);
    expect(absent.every((tensor) => tensor.file === second)).toBe(true);
  });

  it('with a shard without a header says so once', async () => {
    const path = copy('no-header');
    writeFileSync(join(path, second), Buffer.alloc(9344));
    const checkpoint = await opened(path);
    expect(checkpoint.problems).toMatchObject([{ rule: 'header-invalid', file: second }]);
  });

  it('with an index that was cut is damage', async () => {
    const path = copy('cut-index');
    const text = readFileSync(join(whole, index));
    for (let length = 0; length < text.length - 1; length += length < 100 ? 1 : 9) {
      writeFileSync(join(path, index), text.subarray(0, length));
      const { kind, checkpoint, error } = await outcomeOf(path);
      expect(kind, `${length} bytes: ${error?.stack}`).toBe('problem');
      expect(checkpoint?.complete).toBe(false);
      expect(checkpoint?.tensors).toHaveLength(all);
    }
  });

  it('ignores the index of a variant beside the plain one', async () => {
    const path = copy('variant');
    writeFileSync(join(path, 'model.fp16.safetensors.index.json'), '{"weight_map": {"x": "gone"}}');
    expect((await opened(path)).problems).toEqual([]);
  });

  it('says when its index holds something other than file names', async () => {
    const path = copy('numbers');
    writeFileSync(join(path, index), '{"weight_map": {"a": 1}}');
    const { problems } = await opened(path);
    expect(problems).toContainEqual(
      expect.objectContaining({ rule: 'header-invalid', tensor: 'a' }),
    );
  });
});

describe('a folder', () => {
  it('with one file of weights is that file, and says what it did not read', async () => {
    const path = join(folder, 'pretrained');
    cpSync(join(fixtures, 'safetensors-tied'), path, { recursive: true });
    writeFileSync(join(path, 'optimizer.bin'), 'x');
    const checkpoint = await opened(path);
    expect(checkpoint).toMatchObject({ layout: 'safetensors', complete: true });
    expect(checkpoint.tensors.length).toBeGreaterThan(0);
    expect(checkpoint.problems).toMatchObject([
      { rule: 'note', kind: 'info', file: 'optimizer.bin' },
    ]);
  });

  it('of a run is not a checkpoint, and the newest one in it is offered', async () => {
    const path = copy('run/checkpoint-9');
    copyFileSync(
      join(fixtures, 'safetensors-tied/model.safetensors'),
      join(path, '../3.safetensors'),
    );
    const { kind, error } = await outcomeOf(join(folder, 'run'));
    expect(kind).toBe('not-a-checkpoint');
    expect(error).toMatchObject({
      message: expect.stringContaining('run folder with 2 checkpoints'),
      details: { next: `laika validate ${path}` },
    });
  });

  it('of a layout that is not read is named', async () => {
    const path = join(folder, 'layout-nanotron');
    cpSync(join(fixtures, 'logs'), path, { recursive: true });
    for (const name of ['trainer_state.json', 'metrics.jsonl']) rmSync(join(path, name));
    renameSync(join(path, 'expected.json'), join(path, 'checkpoint_metadata.json'));
    const { kind, error } = await outcomeOf(path);
    expect(kind).toBe('not-a-checkpoint');
    expect(error?.message).toContain('nanotron');
  });
});
