/** Stored bytes of a compressed part, read in pages and decoded chunk by chunk. */
import assert from 'node:assert/strict';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import type { EncodedFile } from '../checkpoint/checkpoint.ts';
import type { Source } from './source.ts';
import { unzstd } from './zstd.ts';

const pageBytes = 256 * 1024;

/** Decoded chunks in order. Throws a plain Error where the bytes are no such encoding. */
export async function* decodeStream(
  source: Source,
  encoded: EncodedFile,
): AsyncGenerator<Uint8Array> {
  if (encoded.planes) {
    const { planes, ...packed } = encoded;
    yield await fromPlanes(decodeStream(source, packed), encoded.sizeBytes, planes);
    return;
  }
  const pages = storedPages(source, encoded);
  switch (encoded.codec) {
    case 'stored':
      return yield* pages;
    case 'zstd':
      return yield* unzstd(pages);
    case 'deflate':
      return yield* through(pages, createInflateRaw());
    case 'zlib':
      return yield* through(pages, createInflate());
    case 'gzip':
      return yield* through(pages, createGunzip());
    default:
      // Blocks are read where they lie.
      assert.fail(`${encoded.codec} is no stream`);
  }
}

/** Puts the bytes of each element together again: whole, as its first and last bytes lie far apart. */
async function fromPlanes(
  chunks: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  planes: number,
): Promise<Uint8Array> {
  const sorted = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const chunk of chunks) {
    if (at + chunk.length > sizeBytes)
      throw new Error(`it decodes to more than ${sizeBytes} bytes`);
    sorted.set(chunk, at);
    at += chunk.length;
  }
  if (at < sizeBytes) throw new Error(`it decodes to ${at} bytes only`);
  const count = Math.floor(sizeBytes / planes);
  // What is left over makes no element, and was left at the end.
  const bytes = sorted.slice();
  for (let plane = 0; plane < planes; plane += 1) {
    const from = plane * count;
    for (let i = 0; i < count; i += 1) bytes[i * planes + plane] = sorted[from + i] as number;
  }
  return bytes;
}

/** A plain `pipe` would not pass on what the pages fail with. */
function through(pages: AsyncIterable<Uint8Array>, decoder: Transform): Transform {
  pipeline(Readable.from(pages, { objectMode: true }), decoder, () => undefined);
  return decoder;
}

async function* storedPages(
  source: Source,
  { file, offset, storedBytes }: EncodedFile,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < storedBytes; at += pageBytes) {
    const page = new Uint8Array(Math.min(pageBytes, storedBytes - at));
    await source.read(file, offset + at, page);
    yield page;
  }
}
