import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BlockCodec } from '../../src/checkpoint/checkpoint.ts';
import { blockLayouts } from '../../src/sources/block-codecs.ts';
import { decodedSource } from '../../src/sources/decoded-source.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What gguf-py decodes them to; the script that asked it lies beside them. */
const vectors: Record<BlockCodec, { blocks: string; values: string }> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/gguf/blocks.json'), 'utf8'),
);

describe.each(Object.keys(blockLayouts) as BlockCodec[])('blocks of %s', (codec) => {
  const blocks = Buffer.from(vectors[codec].blocks, 'hex');
  const values = Buffer.from(vectors[codec].values, 'hex');
  const path = join(temporaryFolder(), 'blocks');
  writeFileSync(path, Buffer.concat([Buffer.alloc(5), blocks]));
  const encoded = {
    name: 'values',
    file: 'blocks',
    offset: 5,
    storedBytes: blocks.length,
    codec,
    sizeBytes: values.length,
  };

  it('decode as gguf-py decodes them', async () => {
    const source = decodedSource(await openLocalSource(path), [encoded]);
    const into = Buffer.alloc(values.length);
    await source.read('values', 0, into);
    expect(into.toString('hex')).toBe(values.toString('hex'));
    await source.close();
  });

  it('can be read from any element on', async () => {
    const source = decodedSource(await openLocalSource(path), [encoded]);
    for (const [offset, length] of [
      [4, 4],
      [values.length / 3 - 4, 8],
      [values.length - 12, 12],
    ] as const) {
      const into = Buffer.alloc(length);
      await source.read('values', offset, into);
      expect(into).toEqual(values.subarray(offset, offset + length));
    }
    await source.close();
  });
});
