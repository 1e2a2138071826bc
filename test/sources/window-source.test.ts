import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalSource } from '../../src/sources/local.ts';
import type { Source } from '../../src/sources/source.ts';
import { windowSource } from '../../src/sources/window-source.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const bytes = randomBytes(1_000_000);
writeFileSync(join(folder, 'a.bin'), bytes);
writeFileSync(join(folder, 'b.bin'), bytes.subarray(0, 10));

/** Counts the reads that reach the storage. */
async function counted(): Promise<{ source: Source; reads: () => number }> {
  const inner = await openLocalSource(folder);
  let reads = 0;
  const source = Object.create(inner) as Source;
  source.list = () => inner.list();
  source.read = async (file, offset, into) => {
    reads += 1;
    await inner.read(file, offset, into);
  };
  return { source: windowSource(source, await inner.list()), reads: () => reads };
}

async function read(source: Source, file: string, offset: number, length: number) {
  const into = Buffer.alloc(length);
  await source.read(file, offset, into);
  return into;
}

describe('small reads side by side', () => {
  it('are one read of the storage, with the bytes that were asked for', async () => {
    const { source, reads } = await counted();
    for (let at = 0; at < 200_000; at += 1000) {
      expect(await read(source, 'a.bin', at, 30)).toEqual(bytes.subarray(at, at + 30));
    }
    expect(reads()).toBe(1);
  });

  it('of places in turn stay in their windows', async () => {
    const { source, reads } = await counted();
    for (let i = 0; i < 20; i += 1) {
      for (const at of [0, 400_000, 999_970]) {
        expect(await read(source, 'a.bin', at + i, 10)).toEqual(
          bytes.subarray(at + i, at + i + 10),
        );
      }
    }
    expect(reads()).toBe(3);
  });

  it('of one file do not answer for another', async () => {
    const { source } = await counted();
    await read(source, 'a.bin', 0, 30);
    expect(await read(source, 'b.bin', 3, 7)).toEqual(bytes.subarray(3, 10));
    await expect(read(source, 'b.bin', 3, 8)).rejects.toMatchObject({
      code: 'changed-while-reading',
    });
  });

  it('leave large reads as they are', async () => {
    const { source, reads } = await counted();
    expect(await read(source, 'a.bin', 5, 900_000)).toEqual(bytes.subarray(5, 900_005));
    expect(reads()).toBe(1);
  });
});
