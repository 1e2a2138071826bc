/** Weights and moments of AdamW at two checkpoints, ten steps apart, from a seed. */

export interface AdamPair {
  readonly wA: Float32Array;
  readonly wB: Float32Array;
  readonly mA: Float32Array;
  readonly mB: Float32Array;
  readonly vA: Float32Array;
  readonly vB: Float32Array;
}

/** Numbers near a normal distribution: the sum of four uniform ones. */
function normal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32;
  };
  return () => (uniform() + uniform() + uniform() + uniform() - 2) * Math.sqrt(3);
}

/** After 1,000 steps (moments as they would have settled) and after 1,010. */
export function adamPair(elements: number, seed: number): AdamPair {
  const next = normal(seed);
  const fresh = () => new Float32Array(elements);
  const pair = { wA: fresh(), wB: fresh(), mA: fresh(), mB: fresh(), vA: fresh(), vB: fresh() };
  for (let i = 0; i < elements; i++) {
    let w = Math.fround(0.02 * next());
    let m = Math.fround(1e-3 * next() * Math.sqrt(0.1 / 1.9));
    let v = Math.fround(1e-6 * Math.max(0.1, 1 + 0.4 * next()));
    pair.wA[i] = w;
    pair.mA[i] = m;
    pair.vA[i] = v;
    for (let step = 1001; step <= 1010; step++) {
      const g = 1e-3 * next();
      m = Math.fround(0.9 * m + 0.1 * g);
      v = Math.fround(0.999 * v + 0.001 * g * g);
      const correction = Math.sqrt(1 - 0.999 ** step);
      const rate = 1e-3 / (1 - 0.9 ** step);
      const move = (rate * m) / (Math.sqrt(v) / correction + 1e-8);
      w = Math.fround(w * (1 - 1e-5) - move);
    }
    pair.wB[i] = w;
    pair.mB[i] = m;
    pair.vB[i] = v;
  }
  return pair;
}
