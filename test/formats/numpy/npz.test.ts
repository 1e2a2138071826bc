import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/checkpoint/tensor.ts';
import { findCheckpoints } from '../../../src/formats/find-checkpoints.ts';
import { npz } from '../../../src/formats/numpy/npz.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judged } from '../../verdict/judged.ts';
import { cutOutcomes, flipOutcomes, outcomeOfBytes } from '../damaged-bytes.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';
import { archive } from '../torch-zip/archive-writer.ts';

const scratch = temporaryFolder();
const golden = expectedOf('npz');
const hostile = join(import.meta.dirname, '../../fixtures/hostile');
const fixture = (name: string) => ({ name, bytes: readFileSync(join(fixtures, 'npz', name)) });

describe('files of NumPy', () => {
  it.each(golden.checkpoints)('$path lists and reads what NumPy saved', async (expected) => {
    const checkpoint = await expectGolden(join(fixtures, 'npz', expected.path), expected);
    expect(checkpoint.layout).toBe('npz');
    expect(checkpoint.problems.filter(({ kind }) => kind !== 'info')).toEqual([]);
  });

  it('an array of objects is no tensor, and its pickle asks for nothing', async () => {
    const { kind, checkpoint } = await outcomeOf(join(fixtures, 'npz', 'object.npy'));
    expect(kind).toBe('fine');
    expect(checkpoint?.problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
  });

  it.each(['stored.npz', 'deflated.npz'])('every member of %s has its checksum', async (name) => {
    const { checkpoint } = await outcomeOf(join(fixtures, 'npz', name));
    expect(checkpoint?.checksums.length).toBe(checkpoint?.tensors.length);
  });
});

/** Leaves that Equinox wrote with `tree_serialise_leaves`, as NumPy reads them back. */
const leaves = [
  ['arr_0', 'f32', [2, 3], [0, 1, 2, 3, 4, 5].map((n) => Math.fround(n * Math.fround(1 / 7)))],
  ['arr_1', 'f32', [2], [0.5, -2]],
  ['arr_2', 'i64', [], [7n]],
  ['arr_3', 'f32', [2, 3], [0, 0, 0, 0, 0, 0]],
  ['arr_4', 'f32', [2], [0, 0]],
  ['arr_5', 'f32', [0, 2], []],
  ['arr_6', 'i64', [3], [0n, 1n, 2n]],
] as const;

describe('arrays one after another in a file', () => {
  const tree = join(import.meta.dirname, '../../fixtures/numpy/tree-7.eqx');

  it('are all read, in their order', async () => {
    const { checkpoint, source } = await openCheckpoint(tree);
    expect([checkpoint.complete, checkpoint.problems]).toEqual([true, []]);
    expect(checkpoint.tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual(
      leaves.map(([name, dtype, shape]) => [name, dtype, shape]),
    );
    for (const [i, [, dtype, , values]] of leaves.entries()) {
      const tensor = checkpoint.tensors[i] as Tensor;
      const into = new Uint8Array((dtype === 'f32' ? 4 : 8) * tensor.elements);
      await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
      const read = dtype === 'f32' ? new Float32Array(into.buffer) : new BigInt64Array(into.buffer);
      expect([...read]).toEqual(values);
    }
    await source.close();
  });

  it('count as a checkpoint of their run by the name that Equinox uses', async () => {
    const found = await findCheckpoints(join(tree, '..'));
    expect(found).toMatchObject([{ path: tree, stepHint: 7, complete: true }]);
  });

  it('that are cut are damage, but between two of them', async () => {
    const bytes = readFileSync(tree);
    const outcomes = await cutOutcomes(npz, { name: 'tree-7.eqx', bytes }, 1);
    const whole = [...outcomes].filter(([, outcome]) => outcome !== 'problem');
    // 128 bytes of header each; the last array is the one that a cut may take away unseen.
    expect(whole.map(([length]) => length)).toEqual([152, 288, 424, 576, 712, 840]);
  });
});

describe('damaged files of NumPy', () => {
  it('cut anywhere are damage', async () => {
    for (const name of ['stored.npz', 'deflated.npz', 'version-2.npy', 'fortran.npy']) {
      const outcomes = await cutOutcomes(npz, fixture(name), name.endsWith('z') ? 7 : 1);
      expect([name, ...new Set(outcomes.values())]).toEqual([name, 'problem']);
    }
  });

  it('with one bit of a value inverted, an archive says so', async () => {
    for (const name of ['stored.npz', 'deflated.npz']) {
      const file = fixture(name);
      const { checkpoint } = await outcomeOf(join(fixtures, 'npz', name));
      for (const stored of checkpoint?.checksums ?? []) {
        const part = checkpoint?.encoded?.find((each) => each.name === stored.file);
        const last = part ? part.offset + part.storedBytes - 1 : stored.offset + stored.length - 1;
        const copy = Uint8Array.from(file.bytes);
        copy[last] = (copy[last] as number) ^ 4;
        expect(await outcomeOfBytes(npz, name, copy), `${name} ${last}`).toBe('problem');
      }
    }
  });

  it('whose compressed bytes are broken are corrupt, whatever would have read them', async () => {
    const { name, bytes } = fixture('deflated.npz');
    const path = join(scratch, name);
    const { checkpoint } = await outcomeOf(join(fixtures, 'npz', name));
    for (const { offset, storedBytes } of checkpoint?.encoded ?? []) {
      const copy = Buffer.from(bytes);
      copy.fill(0xff, offset + (storedBytes >> 1), offset + storedBytes);
      writeFileSync(path, copy);
      const { verdict, findings } = await judged(path, null, {});
      expect([offset, verdict, findings?.[0]?.file]).toEqual([offset, 'corrupt', name]);
    }
  });

  it('with any bit inverted end in a typed outcome', async () => {
    for (const name of ['stored.npz', 'deflated.npz', 'object.npy', 'big-endian.npy']) {
      const outcomes = await flipOutcomes(npz, fixture(name), name.endsWith('z') ? 29 : 1);
      const kinds = [...new Set(outcomes.values())];
      const typed = /^(fine|problem|security|limit|not-a-checkpoint)$/;
      expect(kinds.filter((kind) => !typed.test(kind))).toEqual([]);
      expect(kinds).toContain('problem');
    }
  });
});

describe('hostile files of NumPy', () => {
  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => name.startsWith('npy-'));

  it('are all here', () => {
    expect(readdirSync(hostile).filter((name) => name.startsWith('npy-'))).toEqual(names.sort());
    expect(names.length).toBe(9);
  });

  it.each(names)('%s', async (name) => {
    expect((await outcomeOf(join(hostile, name))).kind).toBe(expected[name]?.kind);
  });

  it('a member that promises more than deflate can make is a bomb, and zeros are none', async () => {
    const zeros = (text: string, sizeBytes: number) =>
      Buffer.concat([npyHead(text), Buffer.alloc(sizeBytes)]);
    const honest = zeros("{'descr': '<f4', 'fortran_order': False, 'shape': (500000,), }", 2e6);
    const member = { name: 'm.npy', bytes: honest, deflate: true };
    expect(await outcomeOfBytes(npz, 'a.npz', archive([member]))).toBe('fine');
    const lying = archive([member]);
    for (const signature of [0x04034b50, 0x02014b50]) {
      const at = lying.indexOf(Buffer.from(Uint32Array.of(signature).buffer));
      lying.writeUInt32LE(0x7fffffff, at + (signature === 0x04034b50 ? 22 : 24));
    }
    expect(await outcomeOfBytes(npz, 'a.npz', lying)).toBe('security');
  });
});

function npyHead(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(text)]);
}
