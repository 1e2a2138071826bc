import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder } from './altered-copy.ts';
import { expectedOf, fixtures } from './golden.ts';
import { outcomeOf } from './outcome.ts';

const parts = ['state-dict.pt', 'tensors.pt'].map((path) => {
  const { checkpoints } = expectedOf('torch-2.13-zip');
  return checkpoints.find((each) => each.path === path)?.tensors.map(({ name }) => name) ?? [];
});
const shards = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'];

/** Two real files under the names of shards, with an index of them. */
function sharded(change: (map: Record<string, string>) => void = () => undefined): string {
  const folder = emptyFolder();
  cpSync(join(fixtures, 'torch-2.13-zip/state-dict.pt'), join(folder, shards[0] ?? ''));
  cpSync(join(fixtures, 'torch-2.13-zip/tensors.pt'), join(folder, shards[1] ?? ''));
  const map: Record<string, string> = {};
  for (const [i, names] of parts.entries()) for (const name of names) map[name] = shards[i] ?? '';
  change(map);
  const index = { metadata: { total_size: 0 }, weight_map: map };
  writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index));
  return folder;
}

describe('files of torch.save with an index', () => {
  it('are one checkpoint with the tensors of all', async () => {
    const { kind, checkpoint } = await outcomeOf(sharded());
    expect(kind).toBe('fine');
    expect(checkpoint).toMatchObject({ layout: 'torch-sharded', complete: true });
    const names = checkpoint?.tensors.map(({ name }) => name).sort();
    expect(names).toEqual(parts.flat().sort());
    expect(checkpoint?.checksums.length).toBeGreaterThan(20);
  });

  it('are not complete without one of them', async () => {
    const folder = sharded();
    rmSync(join(folder, shards[1] ?? ''));
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint?.complete).toBe(false);
    expect(checkpoint?.problems).toMatchObject([{ rule: 'shard-missing', file: shards[1] }]);
  });

  it('are compared with their index, tensor by tensor', async () => {
    const [stolen = '', other = ''] = parts[0] ?? [];
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
