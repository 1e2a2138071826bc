/**
 * The rounding model of one optimizer step: x' = b·x + c·y + η with b and c anywhere inside intervals
 * that hold every order of operations found in the wild. A law takes each constant at its worst end,
 * so that rounding is part of its proof and no tolerance is tuned. Unit u: half an ulp, relative.
 */
import type { DType } from '../checkpoint/dtype.ts';
import type { Format } from './law.ts';

/** 1 − β may have been formed from a float32 β (apex, DeepSpeed, Megatron). */
export const betaError = 2 ** -24;

/** Largest absolute error of one operation when results below the normal range are flushed to zero. */
const tiny = 2 ** -126;

/** Steps whose caps are summed one by one; later ones take the last (largest) value. */
const cappedSteps = 20_000;

const float32: Format = { unit: 2 ** -24, tiny, nearest: true, cast: 0 };

/**
 * How a stored type rounds; null where nothing can be proved (float16 loses g² below 6e-8).
 * bf16 state is either computed in bf16 or an fp32 run stored in bf16: both slacks are granted.
 */
export function formatOf(dtype: DType): Format | null {
  if (dtype === 'f32' || dtype === 'f64') return float32;
  if (dtype === 'bf16') return { unit: 2 ** -8, tiny, nearest: true, cast: 2 ** -8 };
  return null;
}

/** The coarser of two formats. */
export function coarser(a: Format, b: Format): Format {
  return a.unit >= b.unit ? a : b;
}

/** b in [bLow, bHigh], c in [cLow, cHigh]. */
export interface Decay {
  readonly bLow: number;
  readonly bHigh: number;
  readonly cLow: number;
  readonly cHigh: number;
  readonly tiny: number;
}

export function decayOf(beta: readonly [number, number], format: Format): Decay {
  const u = format.unit;
  const [low, high] = beta;
  return {
    bLow: Math.max(0, low * (1 - 4 * u) - 2 * betaError),
    bHigh: high * (1 + 4 * u) + 2 * betaError,
    cLow: Math.max(0, (1 - high) * (1 - 5 * u) - betaError),
    cHigh: (1 - low) * (1 + 5 * u) + betaError,
    tiny: format.tiny,
  };
}

/** Total underflow error after k steps: four operations a step, decaying like the average itself. */
export function driftOf(decay: Decay, k: number): number {
  return 4 * decay.tiny * (decay.bHigh < 1 ? Math.min(k, 1 / (1 - decay.bHigh)) : k);
}

/** Σ_{j<k} rʲ without cancellation; +∞ on overflow. */
export function geometric(r: number, k: number): number {
  if (r <= 0) return Math.min(k, 1);
  if (Math.abs(r - 1) < 1e-12) return k;
  return Math.expm1(k * Math.log(r)) / (r - 1);
}

/** b^−k; +∞ on overflow. */
export function grown(b: number, k: number): number {
  const exponent = b > 0 ? -k * Math.log(b) : Infinity;
  return exponent < 700 ? Math.exp(exponent) : Infinity;
}

/** C_k, the sharp constant of m² ≤ C_k·v after k steps; +∞ where β₂ leaves nothing to divide by. */
export function momentConstant(first: Decay, second: Decay, k: number): number {
  if (second.cLow <= 0 || second.bLow <= 0) return Infinity;
  const ratio = (first.bHigh * first.bHigh) / second.bLow;
  return ((first.cHigh * first.cHigh) / second.cLow) * geometric(ratio, k);
}

/** Relative error of 1 − βᵗ when β and its power are float32 (capturable, apex, DeepSpeed). */
export function correctionError(beta: number, t: number): number {
  if (!(beta > 0)) return 4 * betaError;
  return (betaError * (t * beta ** (t - 1) + 4)) / (1 - beta ** t);
}

/** One step's bias correction √(1−β₂ᵗ)/(1−β₁ᵗ); 1 where the optimizer does not correct. */
function correction(beta1: number, beta2: number, t: number): number {
  return Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t);
}

export interface StepSums {
  /** Σ_s √C_{t+s}·c_s: the farthest k steps can push a weight, per unit of learning rate. */
  readonly cap: number;
  /** max_s c_s. */
  readonly correctionMax: number;
}

/** Sums over the k steps after step `start`; β's are the upper ends of their hulls. */
export function stepSums(window: {
  readonly first: Decay;
  readonly second: Decay;
  readonly beta1: number;
  readonly beta2: number;
  readonly start: number;
  readonly k: number;
  readonly biasCorrection: boolean;
}): StepSums {
  const { first, second, beta1, beta2, start, k } = window;
  const counted = Math.min(k, cappedSteps);
  let cap = 0;
  let correctionMax = 0;
  for (let s = 1; s <= counted; s++) {
    const c = window.biasCorrection ? correction(beta1, beta2, start + s) : 1;
    cap += Math.sqrt(momentConstant(first, second, start + s)) * c;
    if (!(c <= correctionMax)) correctionMax = c;
  }
  if (k > counted) {
    const last = window.biasCorrection ? 1 / (1 - beta1 ** (start + counted)) : 1;
    cap += (k - counted) * Math.sqrt(momentConstant(first, second, start + k)) * last;
  }
  return { cap, correctionMax };
}
