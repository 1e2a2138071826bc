import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSource } from '../../src/formats/open-checkpoint.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import type { Source } from '../../src/sources/source.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { floats, pickle, tensor, torchFile } from './torch-zip/archive-writer.ts';

const folder = temporaryFolder();

/** Opens a file and counts the bytes that opening read. */
async function openCounted(name: string) {
  const source = await openLocalSource(join(folder, name));
  let bytesRead = 0;
  const counted: Source = Object.assign(Object.create(source), {
    read: (file: string, offset: number, into: Uint8Array) => {
      bytesRead += into.length;
      return source.read(file, offset, into);
    },
    list: () => source.list(),
    stat: (file: string) => source.stat(file),
  });
  const { checkpoint } = await openSource(counted);
  await source.close();
  return { checkpoint, bytesRead };
}

describe('a safetensors file of 100 GiB', () => {
  it('costs its header until bytes are asked for', async () => {
    const size = 2 ** 30;
    const entries = Array.from({ length: 100 }, (_, i) => [
      `layers.${i}.weight`,
      { dtype: 'F32', shape: [16_384, 16_384], data_offsets: [i * size, (i + 1) * size] },
    ]);
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const path = join(folder, 'large.safetensors');
    const file = openSync(path, 'w');
    writeSync(file, Buffer.concat([length, header]));
    closeSync(file);
    // Holes: the file takes no room on the disk.
    truncateSync(path, 8 + header.length + 100 * size);
    const { checkpoint, bytesRead } = await openCounted('large.safetensors');
    expect(checkpoint.tensors.length).toBe(100);
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.tensors.at(-1)?.placement).toEqual({
      kind: 'dense',
      pieces: [
        {
          file: 'large.safetensors',
          offset: 8 + header.length + 99 * size,
          elements: 2 ** 28,
        },
      ],
    });
    expect(bytesRead).toBeLessThan(8 * 1024 + 2 * header.length);
  });
});

describe('a torch archive of 70,000 records', () => {
  it('is listed whole, from its directory and its pickle', async () => {
    const count = 70_000;
    const keys = Array.from({ length: count }, (_, i) => String(i));
    const tensors = keys.map((key) => [`layers.${key}.w`, tensor([1], { key })] as const);
    const storages = Object.fromEntries(keys.map((key) => [key, floats(Number(key))]));
    const bytes = torchFile(pickle.module(Object.fromEntries(tensors)), storages);
    writeFileSync(join(folder, 'many.pt'), bytes);
    const { checkpoint, bytesRead } = await openCounted('many.pt');
    expect(checkpoint.tensors.length).toBe(count);
    expect(checkpoint.checksums.length).toBe(count + 2);
    expect(checkpoint.problems).toEqual([]);
    expect(bytesRead).toBeLessThan(2 * bytes.length);
  }, 60_000);
});
