/** Which declared optimizers each family of laws may judge. Looking like Adam is never enough. */
import type { LawContext } from './law.ts';

/** Their m and v are the exponential averages of g and g² with β₁ and β₂. */
const keepsAdamMoments = new Set([
  'adam',
  'adamw',
  'adam-or-adamw',
  'amsgrad',
  'nadam',
  'radam',
  'lamb',
]);

/** Their update is lr·m̂/(√v̂ + ε), with or without decoupled decay. */
const takesAdamSteps = new Set(['adam', 'adamw', 'adam-or-adamw', 'amsgrad']);

/** Their v keeps β₂ of itself at each step, whatever the squares are of. */
const keepsBeta2 = new Set([...keepsAdamMoments, 'adabelief', 'adopt', 'laprop', 'adan', 'adamax']);

/** What a step keeps of the second moment at least; a sentence where nothing is known. */
export function secondMomentRate(context: LawContext): readonly [number, number] | string {
  const { kind, hyper } = context;
  if (kind === null) return 'optimizer class unknown';
  // Sums of squares never shrink at all.
  if (kind === 'adagrad') return [1, 1];
  if (kind === 'rmsprop') {
    return typeof hyper.alpha === 'number' ? [hyper.alpha, hyper.alpha] : 'alpha unknown';
  }
  if (!keepsBeta2.has(kind)) return `no decay law for ${kind}`;
  return context.beta2 ?? context.betasUnknown ?? 'betas unknown';
}

/** Their steps have a hard limit of their own: `capped-update`. */
export const capped: ReadonlySet<string> = new Set([
  'lion',
  'adagrad',
  'rmsprop',
  'adamax',
  'nadam',
  'muon',
]);

/**
 * TensorFlow's gradients of lookups name rows, some of them twice: Keras 3 adds such parts to m and their
 * squares to v, so that v holds less than the square of the gradient. Null: it cannot happen here.
 */
export function splitsGradients({ hyper }: LawContext): string | null {
  return hyper.sparse_gradients === true ? 'gradients of lookups are squared in parts' : null;
}

/** Constraints, and averages that take the weights' place: no step of an optimizer. Null: none. */
function movesWeights({ hyper }: LawContext): string | null {
  return hyper.moved_weights === true
    ? 'weights are moved by more than the optimizer’s steps'
    : null;
}

/** Null where the moment laws apply; else why not. */
export function provesMoments(context: LawContext): string | null {
  if (context.kind === null) return 'optimizer class unknown';
  if (!keepsAdamMoments.has(context.kind)) return `no moment law for ${context.kind}`;
  return splitsGradients(context);
}

/**
 * RAdam takes Adam's step times a rectifier below 1 once ρ_t > 5, which it stays; before that it takes
 * unscaled steps of the first moment.
 */
function isRectified({ beta2, stepBase }: LawContext): boolean {
  if (!beta2 || stepBase === null) return false;
  const beta = beta2[1];
  const t = stepBase + 1;
  return 2 / (1 - beta) - 1 - (2 * t * beta ** t) / (1 - beta ** t) > 5;
}

/** Null where the laws about updates apply; else why not. */
export function provesUpdates(context: LawContext): string | null {
  if (context.kind === null) return 'optimizer class unknown';
  if (!takesAdamSteps.has(context.kind)) return `no update law for ${context.kind}`;
  return movesWeights(context) ?? splitsGradients(context);
}

/**
 * LAMB takes Adam's step, decay included, times a trust ratio for each tensor: at most 1 where it is
 * clipped, and exactly 1 where nothing decays and nothing asks for it (timm's keys say both).
 */
function lambReach({ hyper }: LawContext): string | null {
  if (hyper.corrected_weight_decay === true) return 'LAMB’s corrected decay takes another rate';
  const isAdam = hyper.weight_decay === 0 && hyper.always_adapt === false;
  return hyper.trust_clip === true || isAdam ? null : 'LAMB’s trust ratio is not clipped';
}

/**
 * As `provesUpdates`, and RAdam where its steps are rectified, LAMB where its trust ratio is at most 1:
 * a bound holds for a smaller step too.
 */
export function provesReach(context: LawContext): string | null {
  if (context.kind === 'lamb') return lambReach(context);
  if (context.kind !== 'radam') return provesUpdates(context);
  return isRectified(context) ? null : 'RAdam’s first steps are not rectified';
}
