import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openLocalSource } from '../../src/sources/local.ts';
import { measureDecoded } from '../../src/sources/measure-decoded.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const packed = gzipSync(Buffer.alloc(3_000_000, 'laika '));
writeFileSync(join(folder, 'a.gz'), Buffer.concat([Buffer.from('head'), packed]));

const part = {
  name: 'a.gz!text',
  file: 'a.gz',
  offset: 4,
  storedBytes: packed.length,
  codec: 'gzip',
} as const;

describe('the size of a compressed part', () => {
  it('is what it decodes to', async () => {
    const source = await openLocalSource(folder);
    expect(await measureDecoded(source, part, 3_000_000)).toBe(3_000_000);
  });

  it('is not looked for past what it may be', async () => {
    const source = await openLocalSource(folder);
    expect(await measureDecoded(source, part, 2_999_999)).toBeNull();
  });

  it('of broken bytes is told as damage', async () => {
    const source = await openLocalSource(folder);
    await expect(measureDecoded(source, { ...part, offset: 0 }, 100)).rejects.toMatchObject({
      code: 'bytes-damaged',
    });
  });
});
