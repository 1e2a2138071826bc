/**
 * Runs one setting and hands over pairs of checkpoints with the context that truthfully
 * describes them.
 */
import type { LawContext } from '../../src/laws/law.ts';
import { formatOf } from '../../src/laws/rounding.ts';
import { elements, Gradients, lineLength } from './gradients.ts';
import { momentumDecay } from './other-optimizers.ts';
import { Random } from './random.ts';
import { toBf16 } from './rounding.ts';
import { beta1At, rateAt, type Setting, storeAt } from './setting.ts';
import { emptyState, type State, stored } from './state.ts';

export interface Pair {
  readonly setting: Setting;
  readonly context: LawContext;
  readonly base: State;
  readonly head: State;
}

const starts = [0, 1, 2, 5, 20, 100, 400];
const gaps = [1, 2, 3, 5, 10, 30, 100, 500];

/** Steps of a trial: the last pair's head. */
export const steps = Math.max(...starts) + Math.max(...gaps);

/** Element-steps of a trial. */
export const trialSize = steps * elements;

/** Of these a checkpoint holds no counter, and the trainer's is taken for theirs. */
const counterless = new Set(['sgd', 'lion']);

type Format = LawContext['stateFormat'];

const float32 = formatOf('f32') as Format;
const bf16 = formatOf('bf16') as Format;

function formatFor({ recipe, stored: kept, sharp }: Setting): Format {
  if (recipe.bf16) return sharp ? { ...bf16, cast: 0 } : bf16;
  if (kept === 'float32') return float32;
  return sharp ? { ...float32, cast: bf16.cast } : bf16;
}

function hyperOf(setting: Setting): Record<string, number | boolean> {
  const { recipe, decay, momentum, dampening, nesterov, beta2 } = setting;
  if (recipe.kind === 'sgd') return { weight_decay: 0, momentum, dampening, nesterov };
  if (recipe.kind === 'rmsprop')
    return { weight_decay: 0, momentum, alpha: beta2, centered: false };
  if (recipe.kind === 'nadam' || recipe.kind === 'radam') {
    return { weight_decay: decay, decoupled_weight_decay: true, momentum_decay: momentumDecay };
  }
  return { weight_decay: decay };
}

/** What an honest checkpoint pair says of the steps after `base` up to `head`. */
function contextOf(setting: Setting, base: number, head: number): LawContext {
  const { recipe, beta1, beta2 } = setting;
  const rates = Array.from({ length: head - base }, (_, i) => rateAt(setting, base + 1 + i));
  const format = formatFor(setting);
  return {
    kind: recipe.kind,
    beta1,
    beta2: [beta2, beta2],
    betasUnknown: null,
    eps: setting.eps,
    weightDecay: recipe.kind === 'adam' ? 0 : setting.decay,
    rates: [Math.min(...rates), Math.max(...rates)],
    ratesUnknown: null,
    rate: rates.length === 1 ? (rates[0] as number) : null,
    stepBase: base,
    stepHead: head,
    ownSteps: !recipe.sharedCounter || counterless.has(recipe.kind),
    biasCorrection: setting.biasCorrection,
    hyper: hyperOf(setting),
    shape: null,
    stateFormat: format,
    weightFormat: format,
    averaging: null,
  };
}

/** Weights: a size for each line, 0 for some, ones among them. */
function initial(setting: Setting, random: Random): State {
  const state = emptyState(elements);
  for (let start = 0; start < elements; start += lineLength) {
    const size = random.pick([0, 1e-20, 1e-3, 0.03, 1, 1, 1e3]);
    for (let i = start; i < start + lineLength; i++) {
      const weight = size * (2 * random.uniform() - 1);
      state.w[i] = setting.recipe.bf16 ? toBf16(weight) : weight;
    }
  }
  return state;
}

/** Simulates the trial; `onPair` must not keep the head. */
export function runTrial(setting: Setting, onPair: (pair: Pair) => void): void {
  const random = new Random(setting.seed ^ 0x2545f491, setting.trial);
  const state = initial(setting, random);
  const gradients = new Gradients(setting);
  const bases = new Map<number, State>();
  const { recipe, beta2, eps, biasCorrection, momentum, dampening, nesterov, decay } = setting;
  const fixed = { beta2, eps, biasCorrection, momentum, dampening, nesterov, decay };
  const [storeBase, storeHead] = [storeAt(setting, 'A'), storeAt(setting, 'B')];
  for (let t = 0; t <= steps; t++) {
    const skipped = recipe.sharedCounter && random.uniform() < 0.3;
    if (t > 0 && !skipped) {
      gradients.fill(state, t);
      recipe.step(state, { t, rate: rateAt(setting, t), beta1: beta1At(setting, t), ...fixed });
    }
    for (const start of starts) {
      const base = bases.get(start);
      if (!base || !gaps.includes(t - start)) continue;
      const head = storeHead ? stored(state, storeHead) : state;
      onPair({ setting, context: contextOf(setting, start, t), base, head });
    }
    if (starts.includes(t)) bases.set(t, stored(state, storeBase));
  }
}
