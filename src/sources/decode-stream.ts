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
