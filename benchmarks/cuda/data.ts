/** Float32 that look like weights, as many as are wanted: one chunk of them, again and again. */
import { chunkElements } from '../../src/records/grid.ts';

/** One chunk from a seed; `positive` for second moments. */
export function weights(seed: number, positive = false): Float32Array {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: chunkElements }, () => {
    const x = 0.02 * (uniform() + uniform() + uniform() + uniform() - 2);
    return positive ? x * x + 1e-12 : x;
  });
}
