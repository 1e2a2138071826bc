import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gguf } from '../../../src/formats/gguf/gguf.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { cutOutcomes, flipOutcomes } from '../damaged-bytes.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';

const scratch = temporaryFolder();
const made = join(import.meta.dirname, '../../fixtures/gguf');
const hostile = join(import.meta.dirname, '../../fixtures/hostile');
const [golden] = expectedOf('gguf').checkpoints;
const model = { name: 'model.gguf', bytes: readFileSync(join(fixtures, 'gguf/model.gguf')) };

async function valuesOf(path: string): Promise<Record<string, number[]>> {
  const { checkpoint, source } = await openCheckpoint(path);
  const values: Record<string, number[]> = {};
  for (const tensor of checkpoint.tensors) {
    const into = new Uint8Array(4 * tensor.elements);
    await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
    values[tensor.name] = [...new Float32Array(into.buffer)];
  }
  await source.close();
  return values;
}

/** As the script beside the fixtures made them. */
const threeBlocks = Object.fromEntries(
  [0, 1, 2].map((i) => [`blk.${i}.weight`, [0, 1, 2, 3, 4, 5].map((n) => n + 10 * i)]),
);

describe('a GGUF file', () => {
  it('lists what gguf-py wrote, quantised values decoded', async () => {
    if (!golden) throw new Error('no fixture');
    const checkpoint = await expectGolden(join(fixtures, 'gguf', golden.path), golden);
    expect(checkpoint).toMatchObject({ layout: 'gguf', problems: [], optimizers: [] });
    const roles = new Map(checkpoint.tensors.map(({ name, role }) => [name, role]));
    for (const { name, role } of golden.tensors)
      expect([name, roles.get(name)]).toEqual([name, role]);
  });

  it('of a big-endian machine has the same values', async () => {
    expect(await valuesOf(join(made, 'big-endian.gguf'))).toEqual(threeBlocks);
  });

  it.each(['split-00001-of-00002.gguf', 'split-00002-of-00002.gguf'])(
    'that is a part, %s, opens with the others',
    async (name) => {
      expect(await valuesOf(join(made, name))).toEqual(threeBlocks);
    },
  );

  it('that is a part without the others is damaged', async () => {
    const folder = join(scratch, 'alone');
    cpSync(made, folder, { recursive: true });
    rmSync(join(folder, 'split-00001-of-00002.gguf'));
    const { checkpoint } = await outcomeOf(join(folder, 'split-00002-of-00002.gguf'));
    expect(checkpoint).toMatchObject({
      complete: false,
      problems: [{ rule: 'shard-missing', file: 'split-00001-of-00002.gguf' }],
    });
  });

  it('that took the place of another part is told', async () => {
    const folder = join(scratch, 'twice');
    cpSync(join(made, 'split-00001-of-00002.gguf'), join(folder, 'split-00001-of-00002.gguf'));
    cpSync(join(made, 'split-00001-of-00002.gguf'), join(folder, 'split-00002-of-00002.gguf'));
    const { checkpoint } = await outcomeOf(join(folder, 'split-00001-of-00002.gguf'));
    const rules = checkpoint?.problems.map(({ rule, file }) => `${rule} ${file}`);
    expect(rules).toContain('shard-stale split-00002-of-00002.gguf');
  });
});

describe('a damaged GGUF file', () => {
  it('cut anywhere is damage, its last padding apart', async () => {
    const outcomes = await cutOutcomes(gguf, model, 5);
    expect(new Set(outcomes.values())).toEqual(new Set(['problem']));
  });

  it('with any bit of its header inverted ends in a typed outcome', async () => {
    const outcomes = await flipOutcomes(gguf, model, 3);
    const typed = /^(fine|problem|security|limit|not-a-checkpoint)$/;
    expect([...outcomes.values()].filter((kind) => !typed.test(kind))).toEqual([]);
  });

  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => name.startsWith('gguf-'));

  it('has fifteen hostile relatives', () => {
    expect(readdirSync(hostile).filter((name) => name.startsWith('gguf-'))).toEqual(names.sort());
    expect(names.length).toBe(15);
  });

  it.each(names)('%s', async (name) => {
    expect((await outcomeOf(join(hostile, name))).kind).toBe(expected[name]?.kind);
  });
});
