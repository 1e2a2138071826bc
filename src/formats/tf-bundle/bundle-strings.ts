/** Tensors of strings in a bundle: lengths, their checksum, then the texts. */
import { Buffer } from 'node:buffer';
import { crc32c, masked } from '../../records/crc32c.ts';

/** The stored bytes contradict themselves or their checksum. */
export class StringFault extends Error {}

function readLengths(bytes: Buffer, count: number): { lengths: number[]; at: number } {
  const lengths: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined || scale > 2 ** 49) throw new StringFault('a length has no end');
      at += 1;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) break;
    }
    lengths.push(value);
  }
  return { lengths, at };
}

/**
 * The texts of a tensor of `count` strings, both checksums verified.
 * @throws StringFault
 */
export function readStrings(bytes: Buffer, count: number, expected: number | null): Buffer[] {
  // A length takes a byte at least: no count is believed that the bytes cannot hold.
  if (count > bytes.length)
    throw new StringFault(`${count} strings do not fit ${bytes.length} bytes`);
  const { lengths, at } = readLengths(bytes, count);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (at + 4 + total !== bytes.length) {
    throw new StringFault(
      `its lengths promise ${total} bytes, and ${bytes.length - at - 4} follow`,
    );
  }
  // The checksum takes the lengths as words, or as double words where one is larger.
  const words = Buffer.alloc(lengths.reduce((sum, length) => sum + (length < 2 ** 32 ? 4 : 8), 0));
  let word = 0;
  for (const length of lengths) {
    if (length < 2 ** 32) word = words.writeUInt32LE(length, word);
    else word = words.writeBigUInt64LE(BigInt(length), word);
  }
  const ofLengths = crc32c(words);
  if (masked(ofLengths) !== bytes.readUInt32LE(at)) {
    throw new StringFault('its lengths do not match their checksum');
  }
  if (expected !== null && masked(crc32c(bytes.subarray(at), ofLengths)) !== expected) {
    throw new StringFault('its texts do not match their checksum');
  }
  const texts: Buffer[] = [];
  let start = at + 4;
  for (const length of lengths) {
    texts.push(bytes.subarray(start, start + length));
    start += length;
  }
  return texts;
}
