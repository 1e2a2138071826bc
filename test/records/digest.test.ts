import { describe, expect, it } from 'vitest';
import { DigestTable, digestCount, digestPage, isUniformDigest } from '../../src/records/digest.ts';
import { randomBytes } from '../engines/seeded.ts';
import { readVectors } from '../engines/vectors.ts';

interface Vector {
  readonly unit: string;
  readonly times: number;
  readonly digest: readonly [number, number];
}

describe('the digest of a page', () => {
  it('is what the definition gives in another language', () => {
    for (const { unit, times, digest } of readVectors<Vector[]>('digests.json')) {
      const page = new Uint8Array(Buffer.from(unit.repeat(times), 'hex'));
      expect(digestPage(page), `${unit} × ${times}`).toEqual(digest);
    }
  });

  it('changes with every single bit, and with the length', () => {
    const page = randomBytes(1, 4096);
    const seen = new Set([digestPage(page)[0], digestPage(page.subarray(0, 4095))[0]]);
    for (let bit = 0; bit < 8 * 4096; bit += 61) {
      const other = page.slice();
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      seen.add(digestPage(other)[0]);
    }
    expect(seen.size).toBe(2 + Math.ceil((8 * 4096) / 61));
  });

  it('tells a page of one repeated value by its mark', () => {
    for (const size of [1, 2, 4, 8, 16]) {
      const unit = randomBytes(size, size);
      const page = Uint8Array.from({ length: 4096 }, (_, i) => unit[i % size] as number);
      expect(isUniformDigest(digestPage(page)[1])).toBe(true);
      page[1000] = (page[1000] as number) ^ 1;
      expect(isUniformDigest(digestPage(page)[1])).toBe(false);
    }
    expect(isUniformDigest(digestPage(randomBytes(3, 4096))[1])).toBe(false);
  });
});

describe('a digest table', () => {
  it('has one entry for every 4 KiB, the last one partial', () => {
    expect([0, 1, 4096, 4097, 8192].map(digestCount)).toEqual([0, 1, 1, 2, 2]);
  });

  it('keeps what was appended in order, however much comes', () => {
    const table = new DigestTable(4096 * 5000);
    const words = Uint32Array.from({ length: 10_000 }, (_, i) => i * 7);
    for (let at = 0; at < words.length; at += 1000) table.append(words.subarray(at, at + 1000));
    expect(table.words()).toEqual(words);
  });

  it('is empty for a tensor of which nothing came', () => {
    expect(new DigestTable(2 ** 50).words()).toHaveLength(0);
  });
});
