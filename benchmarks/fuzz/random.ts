/**
 * Seeded random numbers, fast enough for 10^10 gradients: xorshift128 and tables of normal
 * deviates.
 */

const tableBits = 16;
const tableMask = 2 ** tableBits - 1;

/** Marsaglia's xorshift128, seeded from two integers. Period 2^128 − 1. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 0x9e3779b9;

  constructor(seed: number, stream: number) {
    this.#a = Math.imul(seed ^ 0x85ebca6b, 0xc2b2ae35) | 0;
    this.#b = Math.imul(stream + 0x27d4eb2f, 0x165667b1) | 0;
    this.#c = (seed ^ Math.imul(stream, 0x9e3779b1)) | 0;
    for (let i = 0; i < 32; i++) this.word();
  }

  /** 32 random bits, unsigned. */
  word(): number {
    let t = this.#d;
    const a = this.#a;
    this.#d = this.#c;
    this.#c = this.#b;
    this.#b = a;
    t ^= t << 11;
    t ^= t >>> 8;
    this.#a = t ^ a ^ (a >>> 19);
    return this.#a >>> 0;
  }

  /** In [0, 1). */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** One of the list. */
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.uniform() * list.length)] as T;
  }
}

/** 2^16 standard normal deviates (Box–Muller) for a seed; index them with random bits. */
export function normalTable(seed: number): Float64Array {
  const random = new Random(seed, -1);
  return Float64Array.from({ length: tableMask + 1 }, () => {
    const radius = Math.sqrt(-2 * Math.log(random.uniform() + 2 ** -33));
    return radius * Math.cos(2 * Math.PI * random.uniform());
  });
}

/** Index into a table of `normalTable` from random bits; the upper 16 bits stay free for a coin. */
export function tableIndex(word: number): number {
  return word & tableMask;
}
