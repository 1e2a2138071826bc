import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { npz } from '../../../src/formats/numpy/npz.ts';
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
