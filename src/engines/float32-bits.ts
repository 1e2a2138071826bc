/** What float32 makes of a number. */

const single = new Float32Array(1);
const word = new Uint32Array(single.buffer);

/** Bits of the float32 nearest to `value`. */
export function float32Bits(value: number): number {
  single[0] = value;
  return word[0] as number;
}
