import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Hdf5Bytes } from '../../../src/formats/hdf5/hdf5-bytes.ts';
import { lookup3 } from '../../../src/formats/hdf5/lookup3.ts';
import { kerasH5 } from '../../../src/formats/keras/keras-h5.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { cutOutcomes, flipOutcomes } from '../damaged-bytes.ts';
import { outcomeOf } from '../outcome.ts';

const scratch = temporaryFolder();
const made = join(import.meta.dirname, '../../fixtures/keras');

/** Values of all float32 and float16 tensors by name, as they are read. */
async function valuesOf(path: string): Promise<Map<string, number[]>> {
  const { checkpoint, source } = await openCheckpoint(path);
  const found = new Map<string, number[]>();
  for (const tensor of checkpoint.tensors) {
    if (tensor.placement.kind === 'absent') continue;
    const width = tensor.dtype === 'f16' ? 2 : 4;
    const into = new Uint8Array(width * tensor.elements);
    await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
    const values = width === 2 ? new Uint16Array(into.buffer) : new Float32Array(into.buffer);
    found.set(tensor.name, [...values]);
  }
  await source.close();
  return found;
}

/** What make_newer.py put into array `n`. */
function made7(count: number, n: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.fround((i + n) / 7));
}

const chunked = [
  'chunks-earliest.weights.h5',
  'chunks-latest-4.weights.h5',
  'chunks-latest.weights.h5',
];

describe('an HDF5 file of a newer kind', () => {
  // Bob Jenkins's own vectors, of the driver in lookup3.c.
  it('has checksums of lookup3', () => {
    expect(lookup3(Buffer.alloc(0))).toBe(0xdeadbeef);
    expect(lookup3(Buffer.from('Four score and seven years ago'))).toBe(0x17770551);
  });

  it.each(chunked)('%s: chunks are found by every index and undone', async (name) => {
    const values = await valuesOf(join(made, name));
    const at = (n: number) => values.get(`layers/dense/vars/${n}`);
    for (const [n, count] of [
      [0, 70],
      [1, 70],
      [2, 4900],
      [3, 40],
      [5, 45],
      [7, 2200],
      [9, 16],
    ] as const) {
      expect([n, at(n)]).toEqual([n, made7(count, n)]);
    }
    // Halves of 4/7, 5/7 and 6/7, by NumPy.
    expect(at(4)?.slice(0, 3)).toEqual([0x3892, 0x39b7, 0x3adb]);
    // One chunk of four was written.
    const rest = [
      ...new Array<number>(8).fill(0),
      ...made7(8, 6),
      ...new Array<number>(16).fill(0),
    ];
    expect(at(6)).toEqual(rest);
  });

  it.each(chunked)('%s: an array that nobody wrote is missed', async (name) => {
    const { checkpoint } = await outcomeOf(join(made, name));
    const missing = checkpoint?.problems.map(({ rule, tensor }) => [rule, tensor]);
    expect(missing).toEqual([['tensor-missing', 'layers/dense/vars/8']]);
  });

  it('lists links and attributes from heaps', async () => {
    const values = await valuesOf(join(made, 'newer.weights.h5'));
    expect(values.size).toBe(60);
    for (const i of [0, 31, 59]) expect(values.get(`layers/dense_${i}/vars/0`)).toEqual([i, i]);
  });

  it('may have headers of the newer kind behind a superblock of the older', async () => {
    const values = await valuesOf(join(made, 'tracked.weights.h5'));
    expect(values.size).toBe(12);
    expect(values.get('layers/dense_3/vars/0')).toEqual([8, 8]);
  });

  it('is not read for ever where a million names lead to one place', async () => {
    const { source } = await openCheckpoint(join(made, 'newer.weights.h5'));
    const bytes = new Hdf5Bytes(source, { file: 'newer.weights.h5', offset: 0, sizeBytes: 1000 });
    const look = () => {
      for (let i = 0; i < 1_000_000; i += 1) bytes.charge(48, 65_536);
    };
    expect(look).toThrow('bytes of structure');
    await source.close();
  });

  it('with a bit of its structure inverted is damaged, by its checksum', async () => {
    const bytes = readFileSync(join(made, 'newer.weights.h5'));
    const at = bytes.indexOf('FRHP') + 20;
    bytes[at] = (bytes[at] as number) ^ 1;
    const path = join(scratch, 'flipped.weights.h5');
    writeFileSync(path, bytes);
    const { kind, checkpoint } = await outcomeOf(path);
    expect(kind).toBe('problem');
    expect(checkpoint?.problems[0]?.rule).toBe('checksum-mismatch');
  });

  it.each([...chunked, 'newer.weights.h5', 'tracked.weights.h5'])(
    '%s cut or with any bit inverted ends in a typed outcome',
    async (name) => {
      const file = { name: basename(name), bytes: readFileSync(join(made, name)) };
      const cut = await cutOutcomes(kerasH5, file, 4999);
      expect(new Set(cut.values())).toEqual(new Set(['problem']));
      const typed = /^(fine|problem|security|limit|not-a-checkpoint)$/;
      const flipped = await flipOutcomes(kerasH5, file, 1999);
      expect([...flipped.values()].filter((kind) => !typed.test(kind))).toEqual([]);
    },
  );
});
