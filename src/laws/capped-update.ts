/** capped-update: optimizers other than Adam whose step has a hard limit. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { capped, splitsGradients } from './optimizer-kinds.ts';
import { correctionError, decayOf, momentConstant } from './rounding.ts';
import { stepsBetween } from './window.ts';

function numberOf(context: LawContext, key: string): number | null {
  const value = context.hyper[key];
  return typeof value === 'number' ? value : null;
}

/** Total of a window's steps, in learning rates. */
type Cap = { readonly cap: number } | { readonly unknown: string };

/** RMSprop: v holds (1 − α) g², so |g|/√v ≤ 1/√(1 − α); momentum adds such steps together. */
function rmspropCap(context: LawContext, k: number): Cap {
  const alpha = numberOf(context, 'alpha');
  if (alpha === null || !(alpha < 1)) return { unknown: 'alpha unknown' };
  if (context.hyper.centered === true) return { unknown: 'centred RMSprop subtracts the mean' };
  const momentum = numberOf(context, 'momentum') ?? 0;
  if (!(momentum < 1)) return { unknown: 'momentum is not below 1' };
  const fresh = decayOf([alpha, alpha], context.stateFormat).cLow;
  return { cap: k / Math.sqrt(fresh) / (1 - momentum) };
}

/** Adamax: |m| ≤ D·u with D = c₁ Σ (β₁/β₂)ʲ, so a step is at most lr·D/(1 − β₁ᵗ). */
function adamaxCap(context: LawContext, k: number): Cap {
  const { beta1, beta2, stepBase, stateFormat } = context;
  if (!beta1 || !beta2) return { unknown: context.betasUnknown ?? 'betas unknown' };
  if (stepBase === null) return { unknown: 'steps unknown' };
  const first = decayOf(beta1, stateFormat);
  const ratio = first.bHigh / decayOf(beta2, stateFormat).bLow;
  if (!(ratio < 1)) return { unknown: 'β₁ is not below β₂' };
  const corrected =
    (1 + correctionError(beta1[1], stepBase + 1)) / (1 - beta1[1] ** (stepBase + 1));
  return { cap: k * (first.cHigh / (1 - ratio)) * corrected };
}

/** Steps of NAdam that are summed one by one. */
const nadamStepsMax = 1_000_000;

/**
 * NAdam adds a part of the fresh gradient, |g| ≤ √(v/c₂), to one of the first moment, |m| ≤ √(C_t v),
 * both over √v̂; μ_t = β₁(1 − ½·0.96^(tψ)).
 */
function nadamCap(context: LawContext, k: number): Cap {
  const { beta1, beta2, stepBase, stateFormat } = context;
  if (!beta1 || !beta2) return { unknown: context.betasUnknown ?? 'betas unknown' };
  if (stepBase === null) return { unknown: 'steps unknown' };
  const decay = numberOf(context, 'momentum_decay');
  if (decay === null) return { unknown: 'momentum_decay unknown' };
  if (stepBase + k > nadamStepsMax) return { unknown: 'too many steps to sum' };
  const first = decayOf(beta1, stateFormat);
  const second = decayOf(beta2, stateFormat);
  const mu = (t: number) => beta1[1] * (1 - 0.5 * 0.96 ** (t * decay));
  let product = 1;
  let cap = 0;
  for (let t = 1; t <= stepBase + k; t++) {
    product *= mu(t);
    if (t <= stepBase) continue;
    const fresh = (1 - mu(t)) / ((1 - product) * Math.sqrt(second.cLow));
    const held =
      (mu(t + 1) * Math.sqrt(momentConstant(first, second, t))) / (1 - product * mu(t + 1));
    cap += (fresh + held) * Math.sqrt(1 - beta2[0] ** t);
  }
  return { cap: cap * (1 + correctionError(beta2[0], stepBase + 1)) };
}

/** The coefficients whose Newton–Schulz polynomial maps [0, 1.2024] into itself. */
const muonCoefficients = '[3.4445,-4.775,2.0315]';

/** Muon: ‖O‖₂ ≤ 1.2024 bounds every entry; its own scale of the rate goes with the shape. */
function muonCap(context: LawContext, k: number): Cap {
  const { ns_coefficients: coefficients, adjust_lr_fn: adjust } = context.hyper;
  const [rows, columns] = context.shape ?? [];
  if (rows === undefined || columns === undefined) return { unknown: 'owner of the state unknown' };
  if (JSON.stringify(coefficients) !== muonCoefficients)
    return { unknown: 'other Newton–Schulz coefficients' };
  if (adjust === 'match_rms_adamw')
    return { cap: 1.21 * 0.2 * Math.sqrt(Math.max(rows, columns)) * k };
  if (adjust === null || adjust === 'original')
    return { cap: 1.21 * Math.sqrt(Math.max(1, rows / columns)) * k };
  return { unknown: 'the scale of the learning rate is unknown' };
}

/** How far the window's k steps can move a weight, in learning rates. */
function capOf(context: LawContext, k: number): Cap {
  switch (context.kind) {
    case 'lion':
      return { cap: k };
    case 'adagrad':
      // The square of this step's gradient is inside the sum that divides it.
      return { cap: k };
    case 'rmsprop':
      return rmspropCap(context, k);
    case 'adamax':
      return adamaxCap(context, k);
    case 'nadam':
      return nadamCap(context, k);
    case 'muon':
      return muonCap(context, k);
    default:
      return {
        unknown: context.kind === null ? 'optimizer class unknown' : `no cap for ${context.kind}`,
      };
  }
}

/** Decoupled decay only: L2 goes through the gradient and stays inside the cap. */
function decoupledDecay(context: LawContext): number | null {
  if (context.kind === 'lion' || context.kind === 'muon') return context.weightDecay;
  if (context.kind === 'nadam') {
    const flag = context.hyper.decoupled_weight_decay;
    if (flag === undefined && context.hyper.weight_decay !== 0) return null;
    return flag === true ? context.weightDecay : 0;
  }
  return 0;
}

function bind(context: LawContext): Binding {
  const split = splitsGradients(context);
  if (split !== null) return { kind: 'unknown', reason: split };
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const cap = capOf(context, steps.k);
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
  // The trainer's counter, or a shared one, may count steps that this tensor skipped: nothing decayed.
  const counted = context.ownSteps && context.kind !== 'lion' && context.kind !== 'muon';
  const most = counted ? (1 - lrLow * decay) ** steps.k : 1;
  const least = (1 - lrHigh * decay) ** steps.k;
  return {
    kind: 'bound',
    constants: {
      move: lrHigh * cap.cap * (1 + 32 * unit),
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
  kinds: capped,
  title: 'The weight is within reach of an optimizer with a hard limit',
  family: 'reachability',
  operands: ['wA', 'wB'],
  statement: '|w_B − decayed w_A| ≤ lr_max · (sum of the caps of k steps) + rounding.',
  derivation:
    'Lion moves by lr exactly (a sign); Adagrad divides by a root that contains this gradient: at most lr; ' +
    'RMSprop’s v contains (1 − α) g²: at most lr/√(1 − α), times 1/(1 − momentum); Adamax: |m| ≤ D·u with ' +
    'D = (1 − β₁)/(1 − β₁/β₂), corrected by 1 − β₁ᵗ; NAdam adds √(v/c₂) of the fresh gradient to √(C_t v) of the ' +
    'moment; Muon’s orthogonalised update has spectral norm at most 1.2024.',
  needs: 'weights at base and head, the optimizer’s class, steps and the learning rates in between',
  cost: '8 bytes an element',
  cannotSee: 'Any change of a weight smaller than k · lr · cap.',
  advice: 'Go back to the base.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `the weight moved by ${left.toPrecision(6)}; its optimizer can push it ${right.toPrecision(6)} at most`,
};
