import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Codec, EncodedFile } from '../../src/checkpoint/checkpoint.ts';
import { decodedSource } from '../../src/sources/decoded-source.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { zstdWindow } from '../../src/sources/zstd.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`../fixtures/zstd/${name}`, import.meta.url));
}

/** Frames by the reference zstd library (python-zstandard): one with its size, one streamed. */
const squares = Uint8Array.from({ length: 3000 }, (_, i) => (i * i) % 251);
const pattern = new Uint8Array(new Uint32Array(5_000_000).fill(0x01020304).buffer);

async function part(
  codec: Codec,
  stored: Uint8Array,
  { sizeBytes, offset = 7 }: { sizeBytes: number; offset?: number },
) {
  const name = `${codec}-${stored.length}-${sizeBytes}`;
  writeFileSync(join(folder, name), Buffer.concat([Buffer.alloc(offset, 9), stored]));
  const encoded: EncodedFile = {
    name: `${name}!inner`,
    file: name,
    offset,
    storedBytes: stored.length,
    codec,
    sizeBytes,
  };
  return { source: decodedSource(await openLocalSource(folder), [encoded]), name: encoded.name };
}

async function readAt(
  { source, name }: Awaited<ReturnType<typeof part>>,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const into = new Uint8Array(length);
  await source.read(name, offset, into);
  return into;
}

const stored: readonly [Codec, Uint8Array][] = [
  ['stored', squares],
  ['deflate', deflateRawSync(squares)],
  ['zlib', deflateSync(squares)],
  ['gzip', gzipSync(squares)],
  ['zstd', fixture('squares-3000.zst')],
];

describe('a part of a file', () => {
  it.each(stored)('is read as a file of its own: %s', async (codec, bytes) => {
    const opened = await part(codec, bytes, { sizeBytes: squares.length });
    for (const [offset, length] of [
      [0, 3000],
      [17, 100],
      [2999, 1],
      [5, 0],
    ] as const) {
      expect(await readAt(opened, offset, length)).toEqual(squares.slice(offset, offset + length));
    }
    expect((await opened.source.stat(opened.name))?.sizeBytes).toBe(3000);
    expect(opened.source.localPath(opened.name)).toBeNull();
  });

  it.each([
    ['zstd', fixture('pattern-20mb.zst')],
    ['deflate', deflateRawSync(pattern)],
  ] as const)(
    'may be larger than what is kept, read forwards, back and at once: %s',
    async (codec, bytes) => {
      const opened = await part(codec, bytes, { sizeBytes: pattern.length });
      const size = 3_000_001;
      const hash = createHash('sha256');
      for (let at = 0; at < pattern.length; at += size) {
        hash.update(await readAt(opened, at, Math.min(size, pattern.length - at)));
      }
      expect(hash.digest('hex')).toBe(createHash('sha256').update(pattern).digest('hex'));
      const starts = [19_000_000, 3, 10_000_001, 0];
      const parts = await Promise.all(starts.map((at) => readAt(opened, at, 1_000_000)));
      for (const [i, at] of starts.entries()) {
        expect(Buffer.compare(parts[i] as Uint8Array, pattern.subarray(at, at + 1_000_000))).toBe(
          0,
        );
      }
    },
  );

  it.each(stored.slice(1))('that decodes to another size is damaged: %s', async (codec, bytes) => {
    for (const sizeBytes of [2999, 3001]) {
      const opened = await part(codec, bytes, { sizeBytes });
      await expect(readAt(opened, 0, sizeBytes)).rejects.toMatchObject({ code: 'bytes-damaged' });
    }
  });

  it.each(stored.slice(1))(
    'that is cut or no such encoding is damaged: %s',
    async (codec, bytes) => {
      for (const broken of [
        bytes.subarray(0, bytes.length - 9),
        Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
      ]) {
        const opened = await part(codec, broken, { sizeBytes: 3000 });
        await expect(readAt(opened, 0, 3000)).rejects.toMatchObject({
          code: 'bytes-damaged',
          details: { bytes: { path: folder, offset: 7 } },
        });
      }
    },
  );

  it('is decoded once, however many parts a row of a tensor runs through', async () => {
    const sizeBytes = 16 * 1024 * 1024;
    const stored = deflateRawSync(Buffer.alloc(sizeBytes, 7));
    writeFileSync(join(folder, 'columns'), stored);
    const inner = await openLocalSource(folder);
    let reads = 0;
    const counted = new Proxy(inner, {
      get: (target, key) => {
        if (key === 'read') reads += 1;
        const value = target[key as keyof typeof target];
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const place = { file: 'columns', offset: 0, storedBytes: stored.length, sizeBytes };
    const columns = Array.from({ length: 8 }, (_, i): EncodedFile => {
      return { ...place, name: `columns!${i}`, codec: 'deflate' };
    });
    const source = decodedSource(counted, columns);
    const into = new Uint8Array(1000);
    for (let row = 0; row < 4; row += 1) {
      for (const { name } of columns) await source.read(name, row * 1000, into);
    }
    expect(into[999]).toBe(7);
    expect(reads).toBe(columns.length);
  });

  it('is not decoded where a zstd frame asks for a window past the limit', async () => {
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 0, 0, 0);
    expect(zstdWindow(frame)).toBe(2 ** 41);
    const opened = await part('zstd', frame, { sizeBytes: 10 });
    await expect(readAt(opened, 0, 10)).rejects.toThrow(/passes the limit/);
  });

  it('passes other names through', async () => {
    const opened = await part('gzip', gzipSync(squares), { sizeBytes: 3000 });
    const into = new Uint8Array(7);
    await opened.source.read(opened.name.replace('!inner', ''), 0, into);
    expect(into).toEqual(new Uint8Array(7).fill(9));
  });
});
