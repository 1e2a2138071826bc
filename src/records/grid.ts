/**
 * The grid that every engine shares, so that records merge to the same bits for any thread count.
 * Fixed per tensor: it starts at element 0 and knows nothing of files or readers.
 */

/** Bytes of one page of a tensor's logical (row-major, little-endian) bytes. */
export const pageBytes = 1024 * 1024;

/** Elements of one block: sums are formed in blocks, zero blocks are counted in blocks. */
export const blockElements = 1024;

/** Interleaved chains inside a block: element i of a block is added to chain i mod 8. */
export const sumChains = 8;

/** Bytes that one entry of the digest table covers. */
export const digestBytes = 4096;

/** Bytes up to which a tensor's octave histogram is exact whatever its type. */
export const smallTensorBytes = 8 * 1024 * 1024;

/** Above that, 32- and 64-bit types are counted in every 8th block (block index mod 8 = 0). */
export const octaveStride = 8;

/** Elements of one line of a 4-byte type: 64 bytes, what memory moves at once. */
export const lineElements = 16;

/**
 * Elements that an engine reads of every stream at once: whole blocks, whole pages of 32 bits and
 * more.
 */
export const chunkElements = 262_144;

/** Elements of one page of a type of `bits` bits an element. */
export function pageElements(bits: number): number {
  return (pageBytes * 8) / bits;
}
