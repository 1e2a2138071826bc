/**
 * Joins CRCs of neighbouring parts without their bytes: appending n zero bytes to a message
 * multiplies its CRC by x^(8n) modulo the CRC's polynomial over GF(2).
 */
import type { CrcKind } from './crc.ts';
import { castagnoli } from './crc32c.ts';

/** By kind, the coefficient of x^0 in the highest bit; zip's is x^32 + x^26 + … + 1. */
const polynomials: Readonly<Record<CrcKind, number>> = { crc32: 0xedb88320, crc32c: castagnoli };

/** The product of two polynomials modulo the CRC's; bit 31 is the coefficient of x^0. */
function multiply(a: number, b: number, polynomial: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}

/** x^(8 · bytes) modulo the CRC's polynomial. */
function powerOfBytes(bytes: number, polynomial: number): number {
  let power = 0x80000000;
  // x^8.
  let square = 0x00800000;
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(power, square, polynomial);
    square = multiply(square, square, polynomial);
  }
  return power;
}

/** What follows: its CRC and its length. */
export interface CrcPart {
  readonly value: number;
  readonly bytes: number;
}

/** CRC of bytes with CRC `first` followed by another part. */
export function combineCrc(kind: CrcKind, first: number, { value, bytes }: CrcPart): number {
  const polynomial = polynomials[kind];
  return (multiply(powerOfBytes(bytes, polynomial), first, polynomial) ^ value) >>> 0;
}
