/** Faults of memory, storage, links and software in one tensor, planted byte by byte. */
import type { BitPair } from '../../src/verdict/damage-bits.ts';
import type { Damage } from '../../src/verdict/forensics.ts';

export interface Planted {
  readonly elementBytes: number;
  readonly shape: readonly number[];
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A generator that starts at `seed`, so that a failure comes again (xorshift). */
export function seeded(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Random float32 weights: their bits are those of healthy training. */
export function weights(rows: number, columns: number, seed: number): Planted {
  const next = seeded(seed);
  const values = Float32Array.from({ length: rows * columns }, () => {
    return (next() / 2 ** 32 + next() / 2 ** 32 - 1) * 0.05;
  });
  const before = new Uint8Array(values.buffer);
  return { elementBytes: 4, shape: [rows, columns], before, after: before.slice() };
}

/** The planted tensor with its bytes changed in place. */
export function plant(tensor: Planted, change: (bytes: Uint8Array) => void): Planted {
  const after = tensor.after.slice();
  change(after);
  return { ...tensor, after };
}

/** Changes the 32-bit words whose index fits. */
export function words(
  bytes: Uint8Array,
  where: (index: number) => boolean,
  to: (word: number, index: number) => number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < bytes.length / 4; i++) {
    if (where(i)) view.setUint32(4 * i, to(view.getUint32(4 * i, true), i) >>> 0, true);
  }
}

function bitsAt(bytes: Uint8Array, { elementBytes }: Planted, index: number): bigint {
  let bits = 0n;
  for (let b = elementBytes - 1; b >= 0; b--) {
    bits = (bits << 8n) | BigInt(bytes[index * elementBytes + b] as number);
  }
  return bits;
}

/** The elements that differ, with their bits before and after. */
export function damageOf(planted: Planted, more: Partial<Damage> = {}): Damage {
  const { elementBytes, shape, before, after } = planted;
  const indices: number[] = [];
  const bits: BitPair[] = [];
  for (let i = 0; i < before.length / elementBytes; i++) {
    const pair = { head: bitsAt(after, planted, i), base: bitsAt(before, planted, i) };
    if (pair.head === pair.base) continue;
    indices.push(i);
    bits.push(pair);
  }
  const total = indices.length;
  return { indices, total, elementBytes, shape, fileOffset: null, bits, ...more };
}

/** Elements that did not move although all others did: damage that leaves the older bytes. */
export function staleOf(planted: Planted, first: number, end: number): Damage {
  const indices = Array.from({ length: end - first }, (_, i) => first + i);
  const bits = indices.map((i) => {
    const same = bitsAt(planted.before, planted, i);
    return { head: same, base: same };
  });
  const { elementBytes, shape } = planted;
  return { indices, total: indices.length, elementBytes, shape, fileOffset: null, bits };
}
