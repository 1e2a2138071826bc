/** Buffers that modules compute once and training never writes: known by name, some by their values. */
import { constantBufferNames } from '../checkpoint/constant-buffer-names.ts';

/** Code books of bitsandbytes, in the optimizer's state. */
const codeBooks = ['qmap1', 'qmap2'];

const constantNames = new Set([...constantBufferNames, ...codeBooks]);

/** GPT-2 and its kin keep their causal mask under the name of a bias. */
const maskedAttention = /(^|\.)(attn|attention|self_attn|self_attention)\.(bias|attn_mask)$/;

const noFloat = new Set(['bool', 'u8', 'i8', 'i32', 'i64']);

/** A buffer that no step of training writes. */
export function isConstantBuffer(name: string, dtype: string): boolean {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return constantNames.has(last) || (maskedAttention.test(name) && noFloat.has(dtype));
}

/** Is it a count 0, 1, 2, …? */
export function isPositions(name: string): boolean {
  return /(^|\.)position_ids$/.test(name);
}

/** Does it hold the frequencies of a rotary embedding? */
export function isInverseFrequencies(name: string): boolean {
  return /(^|\.)(original_)?inv_freq$/.test(name);
}

/** Where more of a buffer is another than it should be, it was computed otherwise. */
export function isOtherwise(different: number, compared: number): boolean {
  return different > Math.max(1, compared / 16);
}

/** Fewer frequencies tell no base. */
const frequenciesLeast = 8;

/** `pow` differs by device: 2 ulp, and as much for our own. */
const relativeError = 4 * 2 ** -23;

/** Bases are whole numbers (10,000; 500,000), told to far better than that by 7 digits. */
const baseError = 1e-4;

const f = Math.fround;

/**
 * What `inv_freq` should hold: base^(−2i/d) with d twice its length, in the order of operations of
 * torch, for the whole base that most of its values tell; a value within 4 ulp of it is right as it is.
 * Null where they tell none: scaled or stretched frequencies are no such powers.
 */
export function inverseFrequencies(found: ArrayLike<number>): Float32Array | null {
  const n = found.length;
  if (n < frequenciesLeast) return null;
  const bases = Array.from({ length: n - 1 }, (_, i) =>
    Math.exp((-n / (i + 1)) * Math.log(found[i + 1] as number)),
  ).sort((a, b) => a - b);
  const middle = bases[bases.length >> 1] as number;
  const base = Math.round(middle);
  if (!(base > 1 && Math.abs(middle - base) <= baseError * base)) return null;
  let different = 0;
  const expected = Float32Array.from({ length: n }, (_, i) => {
    const right = f(1 / f(base ** f((2 * i) / (2 * n))));
    const value = found[i] as number;
    if (Math.abs(value - right) <= relativeError * right) return value;
    different += 1;
    return right;
  });
  return isOtherwise(different, n) ? null : expected;
}
