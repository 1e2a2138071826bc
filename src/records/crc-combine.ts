/**
 * Joins CRC-32 of neighbouring parts without their bytes: appending n zero bytes to a message
 * multiplies its CRC by x^(8n) modulo the CRC's polynomial over GF(2).
 */

/** x^32 + x^26 + … + 1 of zip's CRC-32, the coefficient of x^0 in the highest bit. */
const polynomial = 0xedb88320;

/** The product of two polynomials modulo the CRC's; bit 31 is the coefficient of x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}

/** x^(8 · bytes) modulo the CRC's polynomial. */
function powerOfBytes(bytes: number): number {
  let power = 0x80000000;
  // x^8.
  let square = 0x00800000;
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

/** CRC-32 of bytes with CRC `first` followed by `bytes` bytes with CRC `second`. */
export function combineCrc32(first: number, second: number, bytes: number): number {
  return (multiply(powerOfBytes(bytes), first) ^ second) >>> 0;
}
