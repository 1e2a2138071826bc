import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCheckpoints } from '../../../src/formats/find-checkpoints.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judged } from '../../verdict/judged.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';

const scratch = temporaryFolder();
const own = expectedOf('keras-sharded');
const at = (name: string) => join(fixtures, 'keras-sharded', name);

/** One step's files in a folder of their own; the path of its map. */
function copied(step = 4): string {
  const folder = mkdtempSync(join(scratch, 'one-'));
  for (const end of ['.weights.json', '_00000.weights.h5', '_00001.weights.h5']) {
    copyFileSync(at(`step-${step}${end}`), join(folder, `step-${step}${end}`));
  }
  return join(folder, `step-${step}.weights.json`);
}

function edited(edit: (text: string) => string): string {
  const path = copied();
  writeFileSync(path, edit(readFileSync(path, 'utf8')));
  return path;
}

const shardOf = (path: string, number: number) =>
  path.replace('.weights.json', `_0000${number}.weights.h5`);

const rulesOf = async (path: string) => {
  const { checkpoint } = await outcomeOf(path);
  return [checkpoint?.complete, [...new Set(checkpoint?.problems.map(({ rule }) => rule))]];
};

describe('weights of Keras in several files', () => {
  it.each(own.checkpoints)('$path has the variables and roles that Keras saved', async (one) => {
    const checkpoint = await expectGolden(at(one.path), one);
    expect(checkpoint).toMatchObject({ layout: 'keras-sharded', problems: [] });
    expect(checkpoint.tensors.map(({ file }) => file).sort()).toEqual(
      one.tensors.map(({ file }) => file).sort(),
    );
    expect(checkpoint.optimizers[0]?.groups[0]?.hyper.lr).toBeCloseTo(0.01, 9);
  });

  it.each(own.pairs ?? [])(
    '$base and $head are intact, every second moment judged',
    async (pair) => {
      const result = await judged(at(pair.head), at(pair.base), {
        optimizer: { kind: 'adam', beta1: 0.9, beta2: 0.999 },
      });
      expect([result.verdict, result.findings]).toEqual(['intact', []]);
      const decay = result.coverage?.rules.find(({ rule }) => rule === 'second-moment-decay');
      expect([decay?.elements, decay?.of]).toEqual([91, 91]);
    },
  );

  it('are one checkpoint of their run each', async () => {
    const found = await findCheckpoints(join(fixtures, 'keras-sharded'));
    expect(found.map(({ path, complete }) => [path, complete])).toEqual(
      own.checkpoints.map(({ path }) => [at(path), true]),
    );
  });

  it('are found in a folder of their own', async () => {
    const folder = join(copied(), '..');
    expect((await outcomeOf(folder)).checkpoint?.tensors.length).toBe(22);
  });

  it('of which one is missing or cut are not complete', async () => {
    const path = copied();
    rmSync(shardOf(path, 1));
    expect(await rulesOf(path)).toEqual([false, ['shard-missing']]);
    copyFileSync(at('step-4_00001.weights.h5'), shardOf(path, 1));
    truncateSync(shardOf(path, 1), 5000);
    const [complete] = await rulesOf(path);
    expect(complete).toBe(false);
    const [only] = await findCheckpoints(join(path, '..'));
    expect(only?.complete).toBe(false);
  });

  it('whose map names files of other folders do not reach them', async () => {
    for (const name of ['../x_00001.weights.h5', '/x.weights.h5', 'a/b.weights.h5', '..\\\\x']) {
      const path = edited((text) => text.replaceAll('step-4_00001.weights.h5', name));
      expect(await rulesOf(path), name).toEqual([false, ['path-escape']]);
    }
  });

  it('whose map is cut, or is none, are damage', async () => {
    expect(await rulesOf(edited((text) => text.slice(0, 300)))).toEqual([
      false,
      ['file-truncated'],
    ]);
    expect(await rulesOf(edited(() => '{"weight_map": [1]}      '))).toEqual([
      false,
      ['header-invalid'],
    ]);
  });

  it('whose file is one of another model are damage', async () => {
    const path = edited((text) => text.replace('/layers/dense_1/vars', '/layers/dense_7/vars'));
    expect(await rulesOf(path)).toEqual([false, ['tensor-missing']]);
  });

  it('whose files hold one name twice leave open which one counts', async () => {
    const path = copied();
    copyFileSync(shardOf(path, 0), shardOf(path, 1));
    const [, rules] = await rulesOf(path);
    expect(rules).toContain('duplicate-name');
  });
});
