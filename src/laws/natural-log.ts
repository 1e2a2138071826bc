/**
 * ln x in float64 from additions, multiplications and one division only, in a fixed order.
 * Math.log differs between engines in the last bits; a law must not, so every engine repeats this one.
 * Error: below 2 ulp for normal x (atanh series to s²¹ on [√½, √2]); the laws' slack is far above it.
 */

const words = new Uint32Array(2);
const real = new Float64Array(words.buffer);

/** 2/(2j + 1) for j = 1 … 10: the series of ln((1 + s)/(1 − s)) = 2s + s·Σ 2/(2j+1)·s²ʲ. */
export const seriesTerms: readonly number[] = [
  2 / 3,
  2 / 5,
  2 / 7,
  2 / 9,
  2 / 11,
  2 / 13,
  2 / 15,
  2 / 17,
  2 / 19,
  2 / 21,
];

/** NaN below 0, −∞ at 0, +∞ at +∞. Subnormal x counts as its scaled value: exact enough and total. */
export function naturalLog(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return x;
  let exponent = 0;
  let scaled = x;
  if (x < 2 ** -1022) {
    scaled = x * 2 ** 54;
    exponent = -54;
  }
  real[0] = scaled;
  const high = words[1] as number;
  exponent += (high >>> 20) - 1023;
  words[1] = (high & 0x000fffff) | 0x3ff00000;
  let mantissa = real[0] as number;
  if (mantissa > Math.SQRT2) {
    mantissa *= 0.5;
    exponent += 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  let series = 0;
  for (let j = seriesTerms.length - 1; j >= 0; j--)
    series = (series + (seriesTerms[j] as number)) * z;
  return exponent * Math.LN2 + s * (2 + series);
}
