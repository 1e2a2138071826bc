/** CRC-32C (Castagnoli), plain and masked as TensorFlow stores it. */

/** The reflected polynomial. */
const polynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  return crc;
});

/** The plain checksum: `0xe3069283` of the digits 1 to 9. `before`: of the bytes that go before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
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
