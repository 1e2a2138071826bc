import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { emptyFolder } from './altered-copy.ts';
import { digestOf, expectedOf, fixtures } from './golden.ts';
import { outcomeOf } from './outcome.ts';
import { wrongChecksums } from './torch-zip/opened.ts';

const whole = join(fixtures, 'torch-sharded');
const { tensors } = expectedOf('torch-sharded').checkpoints[0] ?? { tensors: [] };
const shards = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'];
const namesIn = (shard: string | undefined) =>
  tensors.filter(({ file }) => file === shard).map(({ name }) => name);

/** A copy with another index. */
function sharded(change: (map: Record<string, string>) => void = () => undefined): string {
  const folder = emptyFolder();
  cpSync(whole, folder, { recursive: true });
  const index = join(folder, 'pytorch_model.bin.index.json');
  const { weight_map: map } = JSON.parse(readFileSync(index, 'utf8'));
  change(map);
  writeFileSync(index, JSON.stringify({ metadata: { total_size: 0 }, weight_map: map }));
  return folder;
}

describe('files of torch.save with an index', () => {
  it('are one checkpoint with the tensors of all', async () => {
    const { checkpoint, source } = await openCheckpoint(whole);
    expect(checkpoint).toMatchObject({ layout: 'torch-sharded', complete: true, problems: [] });
    expect(checkpoint.tensors.map(({ name }) => name).sort()).toEqual(
      tensors.map(({ name }) => name).sort(),
    );
    for (const { name, dtype, shape, sha256, alias_of = null } of tensors) {
      const tensor = checkpoint.tensors.find((each) => each.name === name);
      expect(tensor).toMatchObject({ dtype, shape, aliasOf: alias_of });
      if (tensor) expect(await digestOf(source, tensor), name).toBe(sha256);
    }
    expect(checkpoint.checksums.length).toBeGreaterThan(20);
    expect(await wrongChecksums({ checkpoint, source })).toEqual([]);
    await source.close();
  });

  it('are not complete without one of them', async () => {
    const folder = sharded();
    rmSync(join(folder, shards[1] ?? ''));
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint?.complete).toBe(false);
    expect(checkpoint?.problems).toMatchObject([{ rule: 'shard-missing', file: shards[1] }]);
  });

  it('are compared with their index, tensor by tensor', async () => {
    const [stolen = '', other = ''] = namesIn(shards[0]);
    const folder = sharded((map) => {
      delete map[stolen];
      map[other] = shards[1] ?? '';
      map.nowhere = shards[0] ?? '';
    });
    const rules = (await outcomeOf(folder)).checkpoint?.problems.map(({ rule, tensor }) => {
      return [rule, tensor];
    });
    expect(rules).toContainEqual(['tensor-unlisted', stolen]);
    expect(rules).toContainEqual(['duplicate-name', other]);
    expect(rules).toContainEqual(['tensor-missing', 'nowhere']);
  });

  it('are opened only inside their folder', async () => {
    const folder = sharded((map) => {
      map.outside = '../../etc/passwd';
    });
    const { kind, checkpoint } = await outcomeOf(folder);
    expect(kind).toBe('security');
    expect(checkpoint?.problems).toContainEqual(expect.objectContaining({ rule: 'path-escape' }));
  });
});
