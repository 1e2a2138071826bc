import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, masked } from '../../src/records/crc32c.ts';

const counted = Uint8Array.from({ length: 32 }, (_, i) => i);

describe('CRC-32C', () => {
  it.each([
    ['32 bytes of 0', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of 255', new Uint8Array(32).fill(255), 0x62a8ab43],
    ['0 to 31', counted, 0x46dd794e],
    ['31 to 0', counted.slice().reverse(), 0x113fdb5c],
    ['the digits 1 to 9', new TextEncoder().encode('123456789'), 0xe3069283],
  ])('is that of RFC 3720 and of the catalogues for %s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('goes on from the checksum of the bytes before, wherever they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (a, b) => {
        expect(crc32c(b, crc32c(a))).toBe(crc32c(Buffer.concat([a, b])));
      }),
    );
  });

  it('is masked by a turn of 15 bits and a constant', () => {
    expect(masked(0)).toBe(0xa282ead8);
    expect(masked(0x8000)).toBe(0xa282ead9);
  });
});
