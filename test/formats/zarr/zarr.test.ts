import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readChecksum } from '../../../src/scan/checksums.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { digestOf, fixtures } from '../golden.ts';

const folder = join(fixtures, 'zarr-arrays');

interface Expected {
  readonly folder: string;
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sha256: string;
}

/** What TensorStore was given to write. */
const { arrays }: { arrays: readonly Expected[] } = JSON.parse(
  readFileSync(join(folder, 'expected.json'), 'utf8'),
);

const folders = [...new Set(arrays.map((each) => each.folder))];

describe('arrays that TensorStore wrote', () => {
  it.each(folders)('%s: every array has its values, in runs of any length', async (name) => {
    const { checkpoint, source } = await openCheckpoint(join(folder, name));
    const expected = arrays.filter((each) => each.folder === name);
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.complete).toBe(true);
    const found = checkpoint.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
    const listed = expected.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(found.sort(byName)).toEqual(listed.sort(byName));
    for (const tensor of checkpoint.tensors) {
      const { sha256 } = expected.find((each) => each.name === tensor.name) as Expected;
      for (const run of [1, 7, 1000]) {
        expect(await digestOf(source, tensor, run), `${tensor.name} by ${run}`).toBe(sha256);
      }
    }
    await source.close();
  });

  it('have their checksums, where the writer stored some', async () => {
    const { checkpoint, source } = await openCheckpoint(join(folder, 'zarr3'));
    const members = new Set(checkpoint.checksums.map(({ member }) => member.split('/', 1)[0]));
    expect(members).toEqual(new Set(['checksum', 'sharded-start']));
    for (const stored of checkpoint.checksums) {
      expect(await readChecksum(source, stored), stored.member).toBe(stored.expected);
    }
    await source.close();
  });
});

describe('an array that is larger than any file', () => {
  it('is not swept as zeros when nothing of it was written', async () => {
    const place = join(temporaryFolder(), 'arrays', 'w');
    mkdirSync(place, { recursive: true });
    const metadata = {
      zarr_format: 2,
      shape: [1e12],
      chunks: [2 ** 28],
      dtype: '<f4',
      compressor: null,
      fill_value: 0,
      order: 'C',
      filters: null,
    };
    writeFileSync(join(place, '.zarray'), JSON.stringify(metadata));
    const { checkpoint, source } = await openCheckpoint(join(place, '..'));
    await source.close();
    expect(checkpoint.tensors.map(({ placement }) => placement.kind)).toEqual(['absent']);
  });
});

describe('arrays of types that are not read', () => {
  // As TensorStore 0.1.86 wrote int4 from -8 to 7: a number a byte, its upper half zero.
  const common = { shape: [16], fill_value: null };
  const second = { ...common, chunks: [16], dtype: 'int4', zarr_format: 2, order: 'C' };
  const grid = { name: 'regular', configuration: { chunk_shape: [16] } };
  const third = { ...common, data_type: 'int4', zarr_format: 3, node_type: 'array' };
  const cases = [
    ['.zarray', '0', { ...second, compressor: { id: 'zstd', level: 1 }, filters: null }],
    ['zarr.json', 'c/0', { ...third, chunk_grid: grid, codecs: [{ name: 'bytes' }] }],
  ] as const;

  it.each(cases)('are listed with their shape (%s)', async (name, chunk, metadata) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'w', 'c'), { recursive: true });
    writeFileSync(join(folder, 'w', name), JSON.stringify(metadata));
    const stored = '28b52ffd201081000008090a0b0c0d0e0f0001020304050607';
    writeFileSync(join(folder, 'w', chunk), Buffer.from(stored, 'hex'));
    const { checkpoint, source } = await openCheckpoint(folder);
    await source.close();
    expect(checkpoint.tensors).toMatchObject([
      { name: 'w', storedDtype: 'int4', shape: [16], placement: { kind: 'absent' } },
    ]);
    expect(checkpoint.problems).toMatchObject([{ rule: 'dtype-unsupported', kind: 'info' }]);
  });
});
