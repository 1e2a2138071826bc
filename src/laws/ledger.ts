/** Laws about the whole model's sums: what the second moments gained, and what clipping allows. */
import type { RecordLaw, Sides } from './law.ts';
import { betaError } from './rounding.ts';

/** Half an ulp of float32 state. */
const unit = 2 ** -24;

/** Relative error of a norm that the trainer summed in float32, and of its log. */
const normError = 1e-4;

/** Slack of a clip norm that the trainer computed. */
const clipError = 1e-3;

export interface LedgerSums {
  /** Σ(v_B − β₂ᵏ v_A) over the whole model, for the exact β₂ and for its float32 value. */
  readonly gained: (beta2: number) => number;
  /** Σ(v_A + v_B). */
  readonly held: number;
  readonly beta2: number;
  /** Gradient norms of the window's steps, oldest first. */
  readonly norms: readonly number[];
  /** The norms are those after clipping; false: they may be larger than what the optimizer saw. */
  readonly isExact: boolean;
}

function ledgerAt(sums: LedgerSums, beta2: number): Sides {
  const k = sums.norms.length;
  const want =
    (1 - beta2) * sums.norms.reduce((sum, norm, i) => sum + beta2 ** (k - 1 - i) * norm * norm, 0);
  const steps = Math.min(k, 1 / (1 - beta2));
  const right = normError * want + 4 * unit * steps * sums.held + (betaError / (1 - beta2)) * want;
  const difference = sums.gained(beta2) - want;
  return { left: sums.isExact ? Math.abs(difference) : difference, right };
}

/** Sides of gradient-ledger: optimizers hold β₂ exactly or as float32, so broken means broken by both. */
export function gradientLedgerSides(sums: LedgerSums): Sides {
  const exact = ledgerAt(sums, sums.beta2);
  const single = ledgerAt(sums, Math.fround(sums.beta2));
  return exact.left / exact.right <= single.left / single.right ? exact : single;
}

export interface ClipSums {
  readonly firstSquares: number;
  readonly second: number;
  readonly clip: number;
  readonly step: number;
  readonly beta1: number;
  readonly beta2: number;
}

/** Sides of clip-bound, for the norm of m and for the root of Σv: the worse of the two. */
export function clipBoundSides(sums: ClipSums): Sides {
  const { clip, step, beta1, beta2 } = sums;
  const slack = 1 + clipError + (8 * unit) / (1 - beta2);
  const first = { left: Math.sqrt(sums.firstSquares), right: clip * (1 - beta1 ** step) * slack };
  const second = {
    left: Math.sqrt(Math.max(0, sums.second)),
    right: clip * Math.sqrt(1 - beta2 ** step) * slack,
  };
  return first.left / first.right >= second.left / second.right ? first : second;
}

export interface MomentumClip {
  /** Σ buf² over the whole model. */
  readonly squares: number;
  readonly clip: number;
  /** What a step keeps of the buffer: μ of SGD, β₂ of Lion. */
  readonly kept: number;
  /** SGD adds the whole gradient to its buffer, Lion 1 − β₂ of it. */
  readonly adds: 'all' | 'rest';
}

/** Sides of clip-bound where one buffer is all the state: ‖buf‖ ≤ c/(1 − μ), or c for an average. */
export function momentumClipSides({ squares, clip, kept, adds }: MomentumClip): Sides {
  const slack = 1 + clipError + (8 * unit) / (1 - kept);
  const most = adds === 'all' ? clip / (1 - kept) : clip;
  return { left: Math.sqrt(squares), right: most * slack };
}

export const gradientLedger: RecordLaw = {
  id: 'gradient-ledger',
  scope: 'record',
  title: 'The second moments gained what the gradients brought',
  family: 'ledger',
  statement:
    'Σ(v_B − β₂ᵏ v_A) = (1 − β₂) Σᵢ β₂^(k−i) ‖gᵢ‖² over the whole model, within 1e-4 and rounding.',
  derivation:
    'Summed over all elements the recursion of v knows only the squared norm of each gradient, which trainers ' +
    'log. A norm logged before clipping is an upper bound: then only a gain above it is judged.',
  needs:
    'second moments of every parameter at base and head in float32, the gradient norm of every step between',
  cost: 'sums only',
  cannotSee: 'Which tensor it was; gradients that were wrong before their norm was taken.',
  advice: 'Compare with the next checkpoint: the pair after this one names the tensor.',
};

export const clipBound: RecordLaw = {
  id: 'clip-bound',
  scope: 'record',
  title: 'Clipped gradients leave small moments',
  family: 'ledger',
  statement:
    '‖m‖ ≤ c (1 − β₁ᵗ) and Σv ≤ c² (1 − β₂ᵗ) over the whole model, with 1e-3 for the trainer’s own norm; ' +
    '‖buf‖ ≤ c/(1 − μ) for SGD without L2 decay, ‖m‖ ≤ c for Lion.',
  derivation:
    'Every gradient had norm at most c, and both moments are averages of them that start at zero. SGD’s buffer ' +
    'is at most the sum of μʲ c; dampening only makes it smaller.',
  needs:
    'a clip norm in force since the first step (--clip-norm), moments in float32, one step for all',
  cost: 'sums only',
  cannotSee: 'Which tensor it was; damage that stays below the clip norm.',
  advice: 'Go back to the last trusted checkpoint.',
};
