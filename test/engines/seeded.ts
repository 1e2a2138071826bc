/** Numbers that are the same in every run and in every language. */

/** Word `index` of a stream: lowbias32 of a counter, as in test/fixtures/engines/make.py. */
export function wordAt(seed: number, index: number): number {
  let x = (Math.imul(seed, 0x9e3779b9) + index) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** `count` random bytes. */
export function randomBytes(seed: number, count: number): Uint8Array {
  const words = Uint32Array.from({ length: Math.ceil(count / 4) }, (_, i) => wordAt(seed, i));
  return new Uint8Array(words.buffer, 0, count);
}

/** A number from 0 up to, not including, `limit`. */
export function randomBelow(limit: number, seed: number, index: number): number {
  return Math.floor((wordAt(seed, index) / 2 ** 32) * limit);
}
