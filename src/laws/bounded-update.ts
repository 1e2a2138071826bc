/** bounded-update: a weight moved no farther than its optimizer can have pushed it. */
import type { Binding, Constants, Element, ElementLaw, Format, LawContext, Sides } from './law.ts';
import { naturalLog } from './natural-log.ts';
import { capped, provesReach } from './optimizer-kinds.ts';
import { correctionError, decayOf, geometric, grown, stepSums } from './rounding.ts';
import { stepsBetween } from './window.ts';

function explain({ left, right }: Sides): string {
  return `the weight moved by ${left.toPrecision(6)}; its optimizer can push it ${right.toPrecision(6)} at most`;
}

/** Why the law cannot be bound, or null. */
function refusal(context: LawContext): string | null {
  const kind = provesReach(context);
  if (kind !== null) return kind;
  if (!context.beta1 || !context.beta2) return context.betasUnknown ?? 'betas unknown';
  if (!context.weightFormat) return 'weights in a type too coarse to prove anything';
  if (context.eps === null) return 'eps unknown';
  if (context.weightDecay === null) return 'weight decay unknown';
  if (context.stepBase === null) return 'steps unknown';
  if (!context.rates) return context.ratesUnknown ?? 'learning rates between the steps are unknown';
  if (context.rates[1] * context.weightDecay > 1) return 'lr × weight decay > 1';
  return null;
}

function bind(context: LawContext): Binding {
  const why = refusal(context);
  if (why !== null) return { kind: 'unknown', reason: why };
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const constants = constantsOf(context as Complete, steps.k);
  if (constants === null)
    return { kind: 'unknown', reason: 'eps too small to dominate underflow, or β₂ = 0' };
  return { kind: 'bound', constants };
}

type Complete = LawContext & {
  readonly weightFormat: Format;
  readonly beta1: readonly [number, number];
  readonly beta2: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly rates: readonly [number, number];
  readonly stepBase: number;
};

function constantsOf(context: Complete, k: number): Constants | null {
  const { stateFormat: state, weightFormat: weight, stepBase: start } = context;
  const first = decayOf(context.beta1, state);
  const second = decayOf(context.beta2, state);
  if (second.bLow <= 0 || second.cLow <= 0) return null;
  const beta1 = context.beta1[1];
  const beta2 = context.beta2[1];
  const sums = stepSums({ ...context, first, second, beta1, beta2, start, k });
  const floor = (4 * state.tiny) / (1 - second.bLow);
  const correction = context.biasCorrection ? Math.sqrt(1 - beta2 ** (start + 1)) : 1;
  const spare = context.eps * correction - Math.sqrt(floor);
  if (!(spare >= 0)) return null;
  const q = first.bHigh / Math.sqrt(second.bLow);
  const series = geometric(q, k);
  const lrHigh = context.rates[1];
  // A trust ratio below 1 scales the decay too.
  const lrLow = context.kind === 'lamb' ? 0 : context.rates[0];
  // Under a shared counter some of the k steps may not have been this tensor's: then nothing decayed.
  const most = context.ownSteps ? (1 - lrLow * context.weightDecay) ** k : 1;
  const least = (1 - lrHigh * context.weightDecay) ** k;
  const relative =
    24 * Math.max(weight.unit, state.unit) +
    correctionError(beta1, start + 1) +
    correctionError(beta2, start + 1);
  return {
    steps: k,
    cap: sums.cap,
    inherited: q * series * sums.correctionMax,
    fresh: first.cHigh * series * sums.correctionMax,
    decayLog: -k * Math.log(second.bLow),
    secondFresh: second.cLow,
    grown: grown(second.bLow, k - 1),
    floor,
    spare,
    cast: 2 * state.cast,
    weightCast: 2 * weight.cast,
    rate: lrHigh * (1 + relative),
    middle: (most + least) / 2,
    half: (most - least) / 2,
    rounding: Math.expm1(Math.min(k * Math.log1p(4 * weight.unit), 700)),
    nearest: weight.nearest ? 1 : 0,
    decayRounding: 3 * k * lrHigh * context.weightDecay,
    tiny: 4 * weight.tiny,
    maximum: context.kind === 'amsgrad' ? 1 : 0,
  };
}

type Named = Readonly<
  Record<
    | 'steps'
    | 'cap'
    | 'inherited'
    | 'fresh'
    | 'decayLog'
    | 'secondFresh'
    | 'grown'
    | 'floor'
    | 'spare'
    | 'cast'
    | 'weightCast'
    | 'rate'
    | 'middle'
    | 'half'
    | 'rounding'
    | 'nearest'
    | 'decayRounding'
    | 'tiny'
    | 'maximum',
    number
  >
>;

/** Bound of Σ_s |m̂_s|/(√v̂_s + ε) over the window; +∞ where our own arithmetic overflows. */
function budget(element: Element, c: Named): number {
  const vBase = (element[3] as number) * (1 - c.cast) + c.floor;
  const vHead = (element[4] as number) * (1 + c.cast) + c.floor;
  const growth = naturalLog(vHead / vBase) + c.decayLog;
  const energy = Math.max(0, Math.min(growth, c.steps)) / c.secondFresh;
  const inherited =
    (c.inherited * Math.abs((element[2] as number) * (1 + c.cast))) / Math.sqrt(vBase);
  const driven = inherited + c.fresh * Math.sqrt(c.steps * energy);
  let bound = driven < c.cap ? driven : c.cap;
  let top = vHead * c.grown;
  if (c.maximum === 1) {
    const maximum = element[5] as number;
    if (!(maximum <= top)) top = maximum;
  }
  const reach = Math.sqrt(top);
  if (Number.isFinite(reach)) bound *= reach / (reach + c.spare);
  return Number.isNaN(bound) ? Infinity : bound;
}

function sides(element: Element, constants: Constants): Sides {
  const c = constants as Named;
  const wBase = element[0] as number;
  const wHead = element[1] as number;
  const left = Math.abs(wHead - wBase * c.middle);
  const move = c.rate * budget(element, c);
  // 0 · ∞ is not evidence.
  if (!Number.isFinite(move)) return { left, right: Infinity };
  const size = Math.abs(wBase);
  let rounding = c.rounding * (size + move);
  if (c.nearest === 1) {
    // Rounding to nearest can at most double a change.
    const doubled = move + c.decayRounding * (size + 2 * move);
    if (doubled < rounding) rounding = doubled;
  }
  const cast = c.weightCast * (size + Math.abs(wHead) + move);
  return { left, right: move + size * c.half + rounding + c.tiny + cast };
}

export const boundedUpdate: ElementLaw = {
  id: 'bounded-update',
  scope: 'element',
  about: 'w',
  except: capped,
  title: 'The weight is within its optimizer’s reach',
  family: 'reachability',
  operands: ['wA', 'wB', 'mA', 'vA', 'vB', 'xB'],
  statement: '|w_B − decayed w_A| ≤ lr_max · budget(m_A, v_A, v_B, k) + rounding.',
  derivation:
    'Each step moves a weight by lr·|m̂|/(√v̂ + ε). Σ g²/v over the window is bounded by what v tells of ' +
    'itself, k·ln(1/β₂) + ln(v_B/v_A), because the logarithms telescope; Cauchy–Schwarz turns that into a ' +
    'bound of Σ|m̂|/√v̂, to which m_A adds a geometric series. The cap Σ√C_t holds without v_A. Decoupled ' +
    'decay scales w_A by a factor between its extremes; rounding to nearest at most doubles a change. LAMB ' +
    'where its trust ratio is clipped at 1, or never taken: it only makes a step, decay included, smaller.',
  needs:
    'weights and moments at base and head, β₁, β₂, ε, decay, own steps, the learning rates in between',
  cost: '24 bytes an element, shared with moment-increment',
  cannotSee: 'Any change of a weight smaller than the right side: about 1.1 · k · lr.',
  advice:
    'Go back to the base; if many tensors break at once, check the learning rate and the ancestry.',
  bind,
  sides,
  explain,
};
