/**
 * `.data/serialization_id`: 40 decimal digits that torch writes last. The first 20 hash the names
 * of the records, the last 20 fold their checksums in the order of writing.
 */

const mask = 2n ** 64n - 1n;
const golden = 0x9e3779b9n;

/** The fold over the CRC-32 of all records but the id itself; empty records do not count. */
export function foldChecksums(
  records: readonly { name: string; sizeBytes: number; crc32: number }[],
): bigint {
  let fold = 0n;
  for (const { name, sizeBytes, crc32 } of records) {
    if (sizeBytes === 0 || name === '.data/serialization_id') continue;
    fold = (fold ^ (BigInt(crc32) + golden + (fold << 6n) + (fold >> 2n))) & mask;
  }
  return fold;
}

/** True where `text` is an id and its second half is not the fold of `records`. */
export function contradictsFold(
  text: string,
  records: readonly { name: string; sizeBytes: number; crc32: number }[],
): boolean {
  if (!/^[0-9]{40}$/.test(text)) return false;
  return BigInt(text.slice(20)) !== foldChecksums(records);
}
