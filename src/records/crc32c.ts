/** CRC-32C (Castagnoli), plain and masked as TensorFlow stores it. */

/** x^32 + x^28 + … + 1 of CRC-32C, the coefficient of x^0 in the highest bit. */
export const castagnoli = 0x82f63b78;

/** Bytes taken at once: one look-up each, and none waits for the one before. */
const slices = 16;

/** Row k: what a byte does to the checksum with k more bytes behind it. */
const tables = new Int32Array(slices * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
  tables[byte] = crc;
}
for (let at = 256; at < tables.length; at++) {
  const before = tables[at - 256] as number;
  tables[at] = (before >>> 8) ^ (tables[before & 255] as number);
}

/** What the byte, which is there, does to the checksum by a row of the tables. */
function slice(row: number, byte: number | undefined): number {
  return tables[row | (byte as number)] as number;
}

/** Four bytes that are there, the first one lowest. */
function wordAt(bytes: Uint8Array, i: number): number {
  const low = (bytes[i] as number) | ((bytes[i + 1] as number) << 8);
  return low | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24);
}

/** The plain checksum: `0xe3069283` of the digits 1 to 9. `before`: of the bytes that go before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const whole = bytes.length - (bytes.length % slices);
  let crc = ~before;
  let i = 0;
  for (; i < whole; i += slices) {
    const word = crc ^ wordAt(bytes, i);
    const a = slice(0xf00, word & 255) ^ slice(0xe00, (word >>> 8) & 255);
    const b = slice(0xd00, (word >>> 16) & 255) ^ slice(0xc00, word >>> 24);
    const c = slice(0xb00, bytes[i + 4]) ^ slice(0xa00, bytes[i + 5]);
    const d = slice(0x900, bytes[i + 6]) ^ slice(0x800, bytes[i + 7]);
    const e = slice(0x700, bytes[i + 8]) ^ slice(0x600, bytes[i + 9]);
    const f = slice(0x500, bytes[i + 10]) ^ slice(0x400, bytes[i + 11]);
    const g = slice(0x300, bytes[i + 12]) ^ slice(0x200, bytes[i + 13]);
    const h = slice(0x100, bytes[i + 14]) ^ slice(0, bytes[i + 15]);
    crc = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ slice(0, (crc ^ (bytes[i] as number)) & 255);
  return ~crc >>> 0;
}

/** Rotated and moved, so that a checksum over bytes with checksums in them is not weakened. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The masked checksum of some bytes. */
export function maskedCrc32c(bytes: Uint8Array): number {
  return masked(crc32c(bytes));
}
