import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineCrc } from '../../src/records/crc-combine.ts';
import { crc32c } from '../../src/records/crc32c.ts';

const combineCrc32 = (first: number, value: number, bytes: number) =>
  combineCrc('crc32', first, { value, bytes });

describe('joining checksums', () => {
  it('gives the checksum of the joined bytes, as zlib computes it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.uint8Array({ maxLength: 3000 }),
        (a, b) => {
          const whole = crc32(Buffer.concat([a, b]));
          expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(whole);
        },
      ),
    );
  });

  it('gives that of TensorFlow, too', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.uint8Array({ maxLength: 3000 }),
        (a, b) => {
          const part = { value: crc32c(b), bytes: b.length };
          expect(combineCrc('crc32c', crc32c(a), part)).toBe(crc32c(Buffer.concat([a, b])));
        },
      ),
    );
  });

  it('holds for lengths past 2^32, where zeros can be added in two ways', () => {
    const zeros = crc32(new Uint8Array(1 << 20));
    let doubled = zeros;
    for (let bytes = 2 ** 20; bytes < 2 ** 34; bytes *= 2) {
      doubled = combineCrc32(doubled, doubled, bytes);
    }
    let added = zeros;
    let length = 2 ** 20;
    while (length < 2 ** 34) {
      const step = Math.min(2 ** 34 - length, 3 * 2 ** 30);
      let part = zeros;
      for (let have = 2 ** 20; have < step; have += 2 ** 20)
        part = combineCrc32(part, zeros, 2 ** 20);
      added = combineCrc32(added, part, step);
      length += step;
    }
    expect(added).toBe(doubled);
  });
});
