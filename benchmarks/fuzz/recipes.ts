/**
 * Every optimizer that the fuzz simulates: its orders of operations and what a checkpoint
 * declares of it.
 */
import * as moments from './moment-orders.ts';
import * as others from './other-optimizers.ts';
import type { State, Step, StepNumbers } from './state.ts';
import * as updates from './update-orders.ts';

export interface Recipe {
  readonly name: string;
  readonly kind: string;
  readonly step: Step;
  readonly bf16: boolean;
  /** Which state it keeps beside the weights. */
  readonly keeps: string;
  /** The counter belongs to the group, so that a tensor may have skipped steps. */
  readonly sharedCounter: boolean;
}

interface Orders {
  readonly moments: Step;
  readonly update: updates.Update;
  readonly variant?: 'amsgrad' | 'l2';
}

/** g := g + λw, in place: what L2 decay hands to the moments. */
function addDecay({ g, w }: State, decay: number): void {
  const small = Math.fround(decay);
  for (let i = 0; i < g.length; i++)
    g[i] = (g[i] as number) + Math.fround(small * (w[i] as number));
}

function adamStep({ moments: move, update, variant }: Orders): Step {
  if (variant === 'l2') {
    return (state: State, numbers: StepNumbers) => {
      addDecay(state, numbers.decay);
      move(state, numbers);
      update(state, state.v, { ...numbers, decay: 0 });
    };
  }
  return (state, numbers) => {
    move(state, numbers);
    if (variant !== 'amsgrad') return update(state, state.v, numbers);
    const { x, v } = state;
    for (let i = 0; i < x.length; i++)
      if (!((x[i] as number) >= (v[i] as number))) x[i] = v[i] as number;
    update(state, x, numbers);
  };
}

function adam(name: string, orders: Orders, more: Partial<Recipe> = {}): Recipe {
  const { variant } = orders;
  return {
    name,
    kind: variant === 'amsgrad' ? 'amsgrad' : variant === 'l2' ? 'adam' : 'adamw',
    step: adamStep(orders),
    bf16: false,
    keeps: variant === 'amsgrad' ? 'wmvxg' : 'wmvg',
    sharedCounter: false,
    ...more,
  };
}

function other(kind: string, step: Step, keeps: string): Recipe {
  return { name: kind, kind, step, keeps, bf16: false, sharedCounter: false };
}

/** No counter of their own: the trainer's counts, and counts steps that loss scaling skipped. */
function counterless(recipe: Recipe): Recipe {
  return { ...recipe, name: `${recipe.kind} with skipped steps`, sharedCounter: true };
}

const { mulAdd, mulAddSquareFirst, lerpFirst, lerpBoth, doubleInside } = moments;
const { scaleThenDivide, divideThenScale } = updates;

export const recipes: readonly Recipe[] = [
  adam('torch ≤ 1.13 single', { moments: mulAdd, update: scaleThenDivide }),
  adam('torch ≤ 1.13 foreach', { moments: mulAdd, update: divideThenScale }),
  adam('torch CPU, flushed', {
    moments: moments.mulAddFlushed,
    update: updates.scaleThenDivideFlushed,
  }),
  adam('CUDA α(g·g)', { moments: mulAddSquareFirst, update: divideThenScale }),
  adam('torch ≥ 2 lerp', { moments: lerpFirst, update: scaleThenDivide }),
  adam('compiled lerp', { moments: lerpBoth, update: divideThenScale }),
  adam('capturable', { moments: lerpFirst, update: updates.capturable }),
  adam('fused', { moments: doubleInside, update: updates.doubleUpdate }),
  adam('apex', { moments: moments.floatBetas, update: updates.decayInUpdate }),
  adam('apex fast-math, flushed', {
    moments: moments.floatBetasFlushed,
    update: updates.fastMath,
  }),
  adam(
    'apex, shared counter',
    { moments: moments.floatBetas, update: updates.decayInUpdate },
    { sharedCounter: true },
  ),
  adam('AMSGrad', { moments: mulAdd, update: scaleThenDivide, variant: 'amsgrad' }),
  adam('AMSGrad lerp', { moments: lerpFirst, update: divideThenScale, variant: 'amsgrad' }),
  adam('Adam with L2', { moments: mulAdd, update: scaleThenDivide, variant: 'l2' }),
  adam(
    'bf16 each operation',
    { moments: moments.bf16EachOperation, update: updates.bf16Update },
    { bf16: true },
  ),
  adam(
    'bf16, float32 inside',
    { moments: moments.bf16Inside, update: updates.bf16InsideUpdate },
    { bf16: true },
  ),
  adam('NAdam', { moments: lerpFirst, update: others.nadamUpdate }, { kind: 'nadam' }),
  adam('RAdam', { moments: lerpFirst, update: others.radamUpdate }, { kind: 'radam' }),
  other('sgd', others.sgd, 'wbg'),
  counterless(other('sgd', others.sgd, 'wbg')),
  other('lion', others.lion, 'wmg'),
  counterless(other('lion', others.lion, 'wmg')),
  other('rmsprop', others.rmsprop, 'wvg'),
  other('adagrad', others.adagrad, 'wvg'),
  other('adamax', others.adamax, 'wmvg'),
];
