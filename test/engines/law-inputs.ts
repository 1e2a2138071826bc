/** Values for laws: ordinary training, numbers at the edges of the arithmetic, and random bits. */
import type { DType } from '../../src/checkpoint/dtype.ts';
import { roundToBf16, roundToF16 } from '../../src/engines/rounded-bits.ts';
import type { Operand } from '../../src/laws/law.ts';
import { randomBelow, wordAt } from './seeded.ts';

export const inputKinds = ['ordinary', 'adversarial', 'random'] as const;
export type InputKind = (typeof inputKinds)[number];

export interface Inputs {
  readonly elements: number;
  readonly dtype: DType;
  readonly seed: number;
}

const single = new Float32Array(1);
const word = new Uint32Array(single.buffer);

function float32OfBits(bits: number): number {
  word[0] = bits;
  return single[0] as number;
}

function bitsOfFloat32(value: number): number {
  single[0] = value;
  return word[0] as number;
}

function float16OfBits(code: number): number {
  const exponent = (code >>> 10) & 31;
  const fraction = (code & 1023) / 1024;
  const sign = code & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** The value nearest to `value` that the type can hold. */
function rounded(dtype: DType, value: number): number {
  if (dtype === 'f64') return value;
  if (dtype === 'f32') return Math.fround(value);
  if (dtype === 'bf16') return float32OfBits(roundToBf16(bitsOfFloat32(value)) << 16);
  return float16OfBits(roundToF16(bitsOfFloat32(value)));
}

/** The little-endian bytes of values that the type can hold. */
export function packed(dtype: DType, values: Float64Array): Uint8Array {
  if (dtype === 'f64') return new Uint8Array(values.slice().buffer);
  if (dtype === 'f32') return new Uint8Array(Float32Array.from(values).buffer);
  const round = dtype === 'bf16' ? roundToBf16 : roundToF16;
  const codes = Uint16Array.from(values, (value) => round(bitsOfFloat32(value)));
  return new Uint8Array(codes.buffer);
}

const palette = [
  ...[
    0,
    -0,
    1,
    -1,
    0.5,
    1e-3,
    1e-8,
    1e-30,
    1e-38,
    1e-40,
    1.4e-45,
    2 ** -126,
    2 ** -149,
    3e38,
    1e19,
  ],
  ...[-1e-45, -3e38, 1e300, 1e-300, 5e-324, 1.7e308, -1e-310, Number.NaN, Infinity, -Infinity],
  ...[1 + 2 ** -23, 1 - 2 ** -24, Math.SQRT2, Math.SQRT1_2, 2, 65504, 6e-8],
];

function normal(seed: number, index: number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += wordAt(seed + 1000 * i, index) / 2 ** 32;
  return sum;
}

/**
 * A step of Adam from the base, so that most elements obey most laws and some are close to the
 * limit.
 */
function ordinary(operand: Operand, seed: number, i: number): number {
  const scale = 10 ** -(wordAt(seed, i) % 6);
  const g = scale * normal(seed + 1, i);
  const m = scale * normal(seed + 2, i) * 0.5;
  const v = (scale * normal(seed + 3, i)) ** 2 * 0.5;
  // Every second line has weights so large that a step is near the limit of what must move.
  const w = normal(seed + 4, i) * (i & 16 ? 10 : 0.05);
  const moved = i % 97 === 0 ? 1.5 : 1;
  switch (operand) {
    case 'wA':
      return w;
    case 'wB':
      return w - 1e-3 * (0.9 * m + 0.1 * g) * (i % 89 === 0 ? 1e4 : 1);
    case 'mA':
    case 'bA':
      return m;
    case 'mB':
    case 'bB':
      return (0.9 * m + 0.1 * g) * moved;
    case 'eA':
      return w + 1e-3 * g;
    case 'eB':
      return (w + 1e-3 * g) * 0.9 + 0.1 * (w - 1e-3 * (0.9 * m + 0.1 * g)) * moved;
    case 'vA':
    case 'xA':
      return v;
    case 'vB':
    case 'xB':
      return 0.999 * v + 0.001 * g * g;
    default:
      return g;
  }
}

function pickValue(kind: InputKind, operand: Operand, at: { i: number; j: number; seed: number }) {
  const { i, j, seed } = at;
  if (kind === 'ordinary') return ordinary(operand, seed, i);
  if (kind === 'random') return float32OfBits(wordAt(seed + j, i));
  const pick = palette[randomBelow(palette.length, seed + 31 * j, i)] as number;
  return operand.startsWith('v') && i % 3 !== 0 ? Math.abs(pick) : pick;
}

/** A column for every operand, of values that `dtype` can hold. */
export function columnsOf(
  kind: InputKind,
  operands: readonly Operand[],
  { elements, dtype, seed }: Inputs,
): Partial<Record<Operand, Float64Array>> {
  const columns: Partial<Record<Operand, Float64Array>> = {};
  for (const [j, operand] of operands.entries()) {
    const column = new Float64Array(elements);
    for (let i = 0; i < elements; i++) {
      column[i] = rounded(dtype, pickValue(kind, operand, { i, j, seed }));
    }
    columns[operand] = column;
  }
  return columns;
}
