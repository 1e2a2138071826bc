/** How the simulated devices round: bf16 to nearest even, and flush-to-zero. */

const single = new Float32Array(1);
const word = new Uint32Array(single.buffer);

/** bf16 nearest to float32(x), ties to even; NaN stays NaN. */
export function toBf16(x: number): number {
  single[0] = x;
  const bits = word[0] as number;
  if ((bits & 0x7fffffff) > 0x7f800000) return Number.NaN;
  word[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return single[0] as number;
}

const smallestNormal = 2 ** -126;

/** float32(x) on a device that flushes what lies below the normal range. */
export function flushed(x: number): number {
  const rounded = Math.fround(x);
  return rounded < smallestNormal && rounded > -smallestNormal ? 0 : rounded;
}
