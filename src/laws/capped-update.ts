/** capped-update: optimizers other than Adam whose step has a hard limit. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { correctionError, decayOf } from './rounding.ts';
import { stepsBetween } from './window.ts';

function numberOf(context: LawContext, key: string): number | null {
  const value = context.hyper[key];
  return typeof value === 'number' ? value : null;
}

type Cap = { readonly cap: number } | { readonly unknown: string };

/** RMSprop: v holds (1 − α) g², so |g|/√v ≤ 1/√(1 − α); momentum adds such steps together. */
function rmspropCap(context: LawContext): Cap {
  const alpha = numberOf(context, 'alpha');
  if (alpha === null || !(alpha < 1)) return { unknown: 'alpha unknown' };
  if (context.hyper.centered === true) return { unknown: 'centred RMSprop subtracts the mean' };
  const momentum = numberOf(context, 'momentum') ?? 0;
  if (!(momentum < 1)) return { unknown: 'momentum is not below 1' };
  const fresh = decayOf([alpha, alpha], context.stateFormat).cLow;
  return { cap: 1 / Math.sqrt(fresh) / (1 - momentum) };
}

/** Adamax: |m| ≤ D·u with D = c₁ Σ (β₁/β₂)ʲ, so a step is at most lr·D/(1 − β₁ᵗ). */
function adamaxCap(context: LawContext): Cap {
  const { beta1, beta2, stepBase, stateFormat } = context;
  if (!beta1 || !beta2) return { unknown: context.betasUnknown ?? 'betas unknown' };
  if (stepBase === null) return { unknown: 'steps unknown' };
  const first = decayOf(beta1, stateFormat);
  const ratio = first.bHigh / decayOf(beta2, stateFormat).bLow;
  if (!(ratio < 1)) return { unknown: 'β₁ is not below β₂' };
  const corrected =
    (1 + correctionError(beta1[1], stepBase + 1)) / (1 - beta1[1] ** (stepBase + 1));
  return { cap: (first.cHigh / (1 - ratio)) * corrected };
}

/** How far one step can move a weight, in learning rates. */
function capOf(context: LawContext): Cap {
  switch (context.kind) {
    case 'lion':
      return { cap: 1 };
    case 'adagrad':
      // The square of this step's gradient is inside the sum that divides it.
      return { cap: 1 };
    case 'rmsprop':
      return rmspropCap(context);
    case 'adamax':
      return adamaxCap(context);
    default:
      return {
        unknown: context.kind === null ? 'optimizer class unknown' : `no cap for ${context.kind}`,
      };
  }
}

/** Decoupled decay only: L2 goes through the gradient and stays inside the cap. */
function decoupledDecay(context: LawContext): number | null {
  return context.kind === 'lion' ? context.weightDecay : 0;
}

function bind(context: LawContext): Binding {
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const cap = capOf(context);
  if ('unknown' in cap) return { kind: 'unknown', reason: cap.unknown };
  if (!context.weightFormat)
    return { kind: 'unknown', reason: 'weights in a type too coarse to prove anything' };
  if (!context.rates) {
    return {
      kind: 'unknown',
      reason: context.ratesUnknown ?? 'learning rates between the steps are unknown',
    };
  }
  const decay = decoupledDecay(context);
  if (decay === null) return { kind: 'unknown', reason: 'weight decay unknown' };
  const [lrLow, lrHigh] = context.rates;
  if (lrHigh * decay > 1) return { kind: 'unknown', reason: 'lr × weight decay > 1' };
  const { unit, tiny, cast } = context.weightFormat;
  const most = (1 - lrLow * decay) ** steps.k;
  const least = (1 - lrHigh * decay) ** steps.k;
  return {
    kind: 'bound',
    constants: {
      move: lrHigh * cap.cap * steps.k * (1 + 32 * unit),
      middle: (most + least) / 2,
      half: (most - least) / 2,
      rounding: Math.expm1(4 * unit * steps.k),
      decayRounding: 3 * steps.k * lrHigh * decay,
      tiny: 4 * tiny,
      cast: 2 * cast,
    },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const wBase = element[0] as number;
  const wHead = element[1] as number;
  const { move, middle, half, rounding, decayRounding, tiny, cast } = constants as Readonly<
    Record<'move' | 'middle' | 'half' | 'rounding' | 'decayRounding' | 'tiny' | 'cast', number>
  >;
  const size = Math.abs(wBase);
  const grown = rounding * (size + move);
  const doubled = move + decayRounding * (size + 2 * move);
  const right =
    move +
    size * half +
    (doubled < grown ? doubled : grown) +
    tiny +
    cast * (size + Math.abs(wHead) + move);
  return { left: Math.abs(wHead - wBase * middle), right };
}

export const cappedUpdate: ElementLaw = {
  id: 'capped-update',
  scope: 'element',
  about: 'w',
  kinds: new Set(['lion', 'adagrad', 'rmsprop', 'adamax']),
  title: 'The weight is within reach of an optimizer with a hard limit',
  family: 'reachability',
  operands: ['wA', 'wB'],
  statement: '|w_B − decayed w_A| ≤ k · lr_max · cap + rounding.',
  derivation:
    'Lion moves by lr exactly (a sign); Adagrad divides by a root that contains this gradient: at most lr; ' +
    'RMSprop’s v contains (1 − α) g²: at most lr/√(1 − α), times 1/(1 − momentum); Adamax: |m| ≤ D·u with ' +
    'D = (1 − β₁)/(1 − β₁/β₂), corrected by 1 − β₁ᵗ.',
  needs: 'weights at base and head, the optimizer’s class, steps and the learning rates in between',
  cost: '8 bytes an element',
  cannotSee: 'Any change of a weight smaller than k · lr · cap.',
  advice: 'Go back to the base.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `the weight moved by ${left.toPrecision(6)}; its optimizer can push it ${right.toPrecision(6)} at most`,
};
