import { Buffer } from 'node:buffer';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findCheckpoints } from '../../../src/formats/find-checkpoints.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { maskedCrc32c } from '../../../src/records/crc32c.ts';
import { readChecksum } from '../../../src/scan/checksums.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judged } from '../../verdict/judged.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';

const original = join(fixtures, 'tf-bundle');
const folder = join(temporaryFolder(), 'run');
const golden = expectedOf('tf-bundle');
const declared = { kind: 'adam', beta1: 0.9, beta2: 0.999 };
const attribute = '/.ATTRIBUTES/VARIABLE_VALUE';

beforeEach(() => cpSync(original, folder, { recursive: true, force: true }));

/** Where the checkpoint's only block of entries ends, its type and checksum not counted. */
function blockEnd(index: Buffer): number {
  for (let end = 0; end + 5 < index.length; end += 1) {
    if (index[end] !== 0) continue;
    if (index.readUInt32LE(end + 1) === maskedCrc32c(index.subarray(0, end + 1))) return end;
  }
  throw new Error('no block');
}

/** Damage of a value before it was saved: every checksum is that of the damaged bytes. */
async function flipBeforeSave(prefix: string, name: string, element: number): Promise<void> {
  const { checkpoint, source } = await openCheckpoint(join(folder, prefix));
  await source.close();
  const stored = checkpoint.checksums.find(({ member }) => member === name);
  if (stored?.kind !== 'crc32c-masked') throw new Error(`no checksum of ${name}`);
  const data = readFileSync(join(folder, stored.file));
  const at = stored.offset + 4 * element + 3;
  data[at] = (data[at] as number) ^ 0x08;
  writeFileSync(join(folder, stored.file), data);
  const index = readFileSync(join(folder, `${prefix}.index`));
  const end = blockEnd(index);
  const before = Buffer.alloc(4);
  before.writeUInt32LE(stored.expected);
  const after = maskedCrc32c(data.subarray(stored.offset, stored.offset + stored.length));
  index.writeUInt32LE(after, index.indexOf(before));
  index.writeUInt32LE(maskedCrc32c(index.subarray(0, end + 1)), end + 1);
  writeFileSync(join(folder, `${prefix}.index`), index);
}

describe('a checkpoint of TensorFlow', () => {
  it.each(golden.checkpoints)('$path has the variables and roles that Keras saved', async (one) => {
    const checkpoint = await expectGolden(join(original, one.path), one);
    expect(checkpoint).toMatchObject({ layout: 'tf-bundle', problems: [] });
    const [optimizer] = checkpoint.optimizers;
    expect(optimizer?.kind).toBe(null);
    expect(optimizer?.groups[0]?.hyper.lr).toBeCloseTo(0.01, 9);
    expect(optimizer?.parameters.map(({ step }) => step)).toEqual(Array(6).fill(one.step));
  });

  it('has a checksum for every tensor, and each one fits', async () => {
    const { checkpoint, source } = await openCheckpoint(join(original, 'ckpt-4'));
    expect(checkpoint.checksums.length).toBe(checkpoint.tensors.length);
    for (const stored of checkpoint.checksums) {
      expect(await readChecksum(source, stored), stored.member).toBe(stored.expected);
    }
    await source.close();
  });

  it('is read once, checksums and all', async () => {
    const { checkpoint, source } = await openCheckpoint(join(original, 'ckpt-4'));
    await source.close();
    const result = await judged(join(original, 'ckpt-4'), null, {});
    const stored = checkpoint.checksums.reduce((sum, { length }) => sum + length, 0);
    expect(result.coverage?.bytes_read).toBe(stored);
  });

  it('lies with others in one folder, which is a run', async () => {
    const found = await findCheckpoints(original);
    expect(found.map(({ path, stepHint, complete }) => [path, stepHint, complete])).toEqual(
      [4, 5, 9].map((step) => [join(original, `ckpt-${step}.index`), step, true]),
    );
  });

  it('that is still being written is none', async () => {
    for (const name of ['ckpt-12_temp', 'ckpt-12_temp_0f3a']) {
      const part = join(folder, name, 'part-00000-of-00001');
      cpSync(join(original, 'ckpt-9.index'), `${part}.index`);
      cpSync(join(original, 'ckpt-9.data-00000-of-00001'), `${part}.data-00000-of-00001`);
    }
    expect((await findCheckpoints(folder)).map(({ stepHint }) => stepHint)).toEqual([4, 5, 9]);
  });

  it('is opened by its folder where it is alone there', async () => {
    for (const step of [5, 9]) {
      rmSync(join(folder, `ckpt-${step}.index`));
      rmSync(join(folder, `ckpt-${step}.data-00000-of-00001`));
    }
    const { checkpoint } = await outcomeOf(folder);
    expect(checkpoint).toMatchObject({ layout: 'tf-bundle', step: 4, problems: [] });
  });
});

describe('pairs of them', () => {
  it.each(golden.pairs ?? [])('$base and $head are intact where Adam is declared', async (pair) => {
    const result = await judged(join(original, pair.head), join(original, pair.base), {
      optimizer: declared,
    });
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const decay = result.coverage?.rules.find(({ rule }) => rule === 'second-moment-decay');
    expect(decay?.elements).toBe(decay?.of);
    expect(decay?.of).toBe(56);
  });

  it('with a second moment damaged before the save name the parameter and the element', async () => {
    const name = `optimizer/_variables/3${attribute}`;
    await flipBeforeSave('ckpt-5', name, 7);
    const result = await judged(join(folder, 'ckpt-5'), join(folder, 'ckpt-4'), {
      optimizer: declared,
    });
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.[0]).toMatchObject({
      rule: 'second-moment-decay',
      severity: 'critical',
      parameter: `optimizer/_trainable_variables/0${attribute}`,
      tensor: name,
      file: 'ckpt-5.data-00000-of-00001',
    });
    expect(result.findings?.[0]?.element?.index).toBe(7);
  });
});

describe('a damaged checkpoint of TensorFlow', () => {
  it('with an index that is cut anywhere is damage', async () => {
    const whole = readFileSync(join(original, 'ckpt-4.index'));
    for (let length = 0; length < whole.length; length += 17) {
      writeFileSync(join(folder, 'ckpt-4.index'), whole.subarray(0, length));
      const { kind, checkpoint } = await outcomeOf(join(folder, 'ckpt-4'));
      expect([length, kind, checkpoint?.complete]).toEqual([length, 'problem', false]);
    }
  });

  it('with any bit of its index inverted is told, alignment apart', async () => {
    const whole = readFileSync(join(original, 'ckpt-4.index'));
    const padding = whole.length - 8;
    for (let at = 0; at < whole.length; at += 11) {
      if (at > whole.length - 42 && at < padding) continue;
      const copy = Buffer.from(whole);
      copy[at] = (copy[at] as number) ^ (1 << (at % 8));
      writeFileSync(join(folder, 'ckpt-4.index'), copy);
      const { kind } = await outcomeOf(join(folder, 'ckpt-4'));
      expect([at, kind]).toEqual([at, 'problem']);
    }
  });

  it('with data that is cut, too long, or gone is damage', async () => {
    const path = join(folder, 'ckpt-4.data-00000-of-00001');
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, -1));
    const cut = await outcomeOf(join(folder, 'ckpt-4'));
    expect(cut.checkpoint?.problems[0]?.rule).toBe('tensor-out-of-bounds');
    expect(cut.checkpoint?.complete).toBe(false);
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(3)]));
    const long = await outcomeOf(join(folder, 'ckpt-4'));
    expect(long.checkpoint?.problems[0]).toMatchObject({ rule: 'trailing-bytes', offset: 4403 });
    rmSync(path);
    const gone = await outcomeOf(join(folder, 'ckpt-4'));
    expect(gone.checkpoint?.problems[0]?.rule).toBe('shard-missing');
    expect(gone.checkpoint?.complete).toBe(false);
  });

  it('with a bit of a tensor inverted on disk has one checksum that does not fit', async () => {
    const path = join(folder, 'ckpt-4.data-00000-of-00001');
    const copy = readFileSync(path);
    copy[60] = (copy[60] as number) ^ 1;
    writeFileSync(path, copy);
    const result = await judged(join(folder, 'ckpt-4'), null, {});
    expect(result.findings).toMatchObject([
      { rule: 'checksum-mismatch', file: 'ckpt-4.data-00000-of-00001' },
    ]);
  });

  it('with a bit of its object graph inverted is told', async () => {
    const path = join(folder, 'ckpt-4.data-00000-of-00001');
    const copy = readFileSync(path);
    copy[copy.length - 9] = (copy[copy.length - 9] as number) ^ 1;
    writeFileSync(path, copy);
    const { checkpoint } = await outcomeOf(join(folder, 'ckpt-4'));
    expect(checkpoint?.problems).toMatchObject([
      { rule: 'checksum-mismatch', tensor: '_CHECKPOINTABLE_OBJECT_GRAPH' },
    ]);
  });
});
