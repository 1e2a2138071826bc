/**
 * The 64-bit digest of every 4 KiB of a tensor's logical bytes: enough to say which pages are
 * equal, which changed and which repeat. It is no cryptographic hash. Built so that SIMD and a GPU
 * can follow it: 16 independent chains, restarted at every page.
 *
 * A page is read as little-endian u32 words, the last page padded with zero bytes to whole lines of
 * 64 bytes. Chain l (l = 0 … 15) starts at `seed` and takes the words l, l + 16, l + 32, …:
 *   h = (h xor word) · lineFactor mod 2^32;  h = h xor (h >>> 15).
 * Then, from a = page length in bytes xor `lowSeed` and b = `highSeed`, for l = 0 … 15:
 *   a = (a xor h_l) · lowFactor;   a = a xor (a >>> 16);
 *   b = (b xor h_l) · highFactor;  b = b xor (b >>> 13).
 * The entry is [a, b], where the lowest bit of b is replaced by the uniform mark: 1 where h_l =
 * h_(l mod 4) for all l. So says every page that repeats one value of 4, 8 or 16 bytes, or of 1 or
 * 2, in whole lines. Every step is a bijection of the word: pages that differ in one word differ in
 * a.
 */
import { digestBytes } from './grid.ts';

const seed = 0x9e3779b9;
const lineFactor = 0x85ebca6b;
const lowSeed = 0x243f6a88;
const highSeed = 0x85a308d3;
const lowFactor = 0xc2b2ae35;
const highFactor = 0x27d4eb2f;

const lanes = 16;
const lineBytes = 64;

/** Entries of the digest table of `bytes` logical bytes. */
export function digestCount(bytes: number): number {
  return Math.ceil(bytes / digestBytes);
}

/** The page padded to whole lines. */
function wordsOf(page: Uint8Array): DataView {
  if (page.length % lineBytes === 0)
    return new DataView(page.buffer, page.byteOffset, page.byteLength);
  const padded = new Uint8Array(Math.ceil(page.length / lineBytes) * lineBytes);
  padded.set(page);
  return new DataView(padded.buffer);
}

/** Digest of one page of at most 4 KiB: [low, high]. */
export function digestPage(page: Uint8Array): readonly [number, number] {
  const chains = new Uint32Array(lanes).fill(seed);
  const words = wordsOf(page);
  for (let line = 0; line < words.byteLength; line += lineBytes) {
    for (let lane = 0; lane < lanes; lane++) {
      const word = words.getUint32(line + 4 * lane, true);
      const mixed = Math.imul((chains[lane] as number) ^ word, lineFactor);
      chains[lane] = mixed ^ (mixed >>> 15);
    }
  }
  let low = page.length ^ lowSeed;
  let high = highSeed;
  for (const chain of chains) {
    low = Math.imul(low ^ chain, lowFactor);
    low ^= low >>> 16;
    high = Math.imul(high ^ chain, highFactor);
    high ^= high >>> 13;
  }
  const uniform = chains.every((chain, lane) => chain === chains[lane % 4]);
  return [low >>> 0, ((high & ~1) | (uniform ? 1 : 0)) >>> 0];
}

/**
 * Does the digest with this high word belong to a page whose lines all repeat one 16-byte pattern?
 */
export function isUniformDigest(high: number): boolean {
  return (high & 1) === 1;
}

/** A digest table that grows as pages come: no allocation is sized by what a file only claims. */
export class DigestTable {
  readonly #most: number;
  #words: Uint32Array<ArrayBuffer>;
  #used = 0;

  /** `bytes`: logical bytes of the tensor, the most that will come. */
  constructor(bytes: number) {
    this.#most = 2 * digestCount(bytes);
    this.#words = new Uint32Array(Math.min(this.#most, 2048));
  }

  /** Appends pairs (low, high). */
  append(pairs: ArrayLike<number>): void {
    const needed = this.#used + pairs.length;
    if (needed > this.#words.length) {
      const larger = new Uint32Array(
        Math.min(this.#most, Math.max(needed, 2 * this.#words.length)),
      );
      larger.set(this.#words.subarray(0, this.#used));
      this.#words = larger;
    }
    this.#words.set(pairs, this.#used);
    this.#used = needed;
  }

  words(): Uint32Array {
    return this.#used === this.#words.length ? this.#words : this.#words.slice(0, this.#used);
  }
}
