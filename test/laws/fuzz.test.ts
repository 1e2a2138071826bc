/** Healthy training at its worst breaks no law; without their slack the laws break at once. */
import { describe, expect, it } from 'vitest';
import { type Adjust, judgePair } from '../../benchmarks/fuzz/judge.ts';
import { combinations, type Setting, settingOf } from '../../benchmarks/fuzz/setting.ts';
import { type Count, Tally } from '../../benchmarks/fuzz/tally.ts';
import { type Pair, runTrial, trialSize } from '../../benchmarks/fuzz/trial.ts';
import type { Constants } from '../../src/laws/law.ts';
import { secondMomentRate } from '../../src/laws/optimizer-kinds.ts';
import { type Decay, momentConstant } from '../../src/laws/rounding.ts';

const seed = 20260711;

const elementLaws = [
  'moment-bound',
  'moment-increment',
  'bounded-update',
  'capped-update',
  'second-moment-decay',
  'maximum-dominates',
  'replay-moments',
  'replay-weights',
  'replay-gradient',
  'replay-sgd',
];
const sharpLaws = ['moment-bound', 'moment-increment', 'bounded-update', 'capped-update'];
const lineLaws = ['state-progress', 'no-blank-lines'];

/** Judges trials; `change` may damage a pair before it is judged. */
function fuzz(trials: readonly Setting[], adjust?: Adjust, change = (pair: Pair) => pair): Tally {
  const tally = new Tally();
  for (const setting of trials) {
    runTrial(setting, (pair) => judgePair(change(pair), tally, adjust));
    tally.elementSteps += trialSize;
  }
  return tally;
}

function settings(keep: (setting: Setting) => boolean): Setting[] {
  return Array.from({ length: combinations }, (_, trial) => settingOf(seed, trial)).filter(keep);
}

const inFloat32 = ({ recipe, stored, beta1 }: Setting) =>
  !recipe.bf16 && stored === 'float32' && beta1[0] === beta1[1];

describe(`every order of operations, pair of betas and kind of gradient, seed ${seed}`, () => {
  it('breaks no law in 10^8 steps of elements', () => {
    const tally = fuzz(settings(() => true));
    expect(tally.breaches).toEqual([]);
    expect(tally.broken).toBe(0);
    expect(tally.elementSteps).toBeGreaterThan(1e8);
    const judged = (law: string) => tally.of(law).judged;
    expect(elementLaws.filter((law) => judged(law) < 10_000)).toEqual([]);
    expect(lineLaws.filter((law) => judged(law) < 10_000)).toEqual([]);
    // The adversaries get to the bound itself: constants 1 % smaller would break.
    expect(sharpLaws.filter((law) => !(tally.of(law).ratio > 0.99))).toEqual([]);
  }, 300_000);
});

describe('what a long run once broke', () => {
  it('breaks no more', () => {
    // Sparse gradients, v flushed to 0, weights near 1e-20: lr·m/(√v + eps) underflows on its way.
    const tally = fuzz([settingOf(20261121, 11877)]);
    expect(tally.breaches).toEqual([]);
    expect(tally.of('state-progress').judged).toBeGreaterThan(100);
  });
});

/** What a step would do if nothing were rounded. */
function exact(beta: number): Decay {
  return { bLow: beta, bHigh: beta, cLow: 1 - beta, cHigh: 1 - beta, tiny: 0 };
}

function zeroed(constants: Constants, names: string): Constants {
  return { ...constants, ...Object.fromEntries(names.split(' ').map((name) => [name, 0])) };
}

/** The law's constants with u = 0. */
const withoutSlack: Adjust = (law, constants, { context }) => {
  const [beta1, beta2] = [context.beta1?.[1] as number, context.beta2?.[1] as number];
  const t = context.stepHead as number;
  const k = t - (context.stepBase as number);
  const constant = (steps: number) => momentConstant(exact(beta1), exact(beta2), steps);
  const plain = zeroed(constants, 'half firstDrift secondDrift drift cast');
  switch (law) {
    case 'moment-bound':
      return { ...plain, constant: constant(t) };
    case 'moment-increment':
      return { ...plain, constant: constant(k), middle: beta1 ** k, inherited: beta2 ** k };
    case 'second-moment-decay': {
      const rate = secondMomentRate(context);
      return typeof rate === 'string' ? null : { ...plain, inherited: rate[0] ** k };
    }
    case 'maximum-dominates':
      return { ...plain, grown: beta2 ** (1 - k) };
    case 'bounded-update':
      return {
        ...zeroed(constants, 'rounding decayRounding tiny'),
        rate: context.rates?.[1] as number,
      };
    case 'capped-update': {
      const { move } = constants as Readonly<Record<'move', number>>;
      const unit = context.weightFormat?.unit as number;
      return { ...zeroed(constants, 'rounding decayRounding tiny'), move: move / (1 + 32 * unit) };
    }
    case 'replay-moments':
    case 'replay-gradient':
      return zeroed(
        zeroed(constants, 'secondBase secondHead secondUnderflow squareError'),
        'headError baseError gradientError underflow',
      );
    case 'replay-weights':
      return zeroed(constants, 'stepError baseError headError underflow');
    case 'replay-sgd':
      return zeroed(constants, 'stepError weightError underflow');
    default:
      return null;
  }
};

function share({ broken, judged }: Count): number {
  return broken / judged;
}

describe('the fuzz can fail', () => {
  it('breaks every law about elements once its slack for rounding is taken away', () => {
    const trials = settings(inFloat32).filter(({ trial }) => trial % 3 === 0);
    const tally = fuzz(trials, withoutSlack);
    expect(elementLaws.filter((law) => !(share(tally.of(law)) > 0.001))).toEqual([]);
  });

  it('breaks the laws about lines where a line stood still or was zeroed', () => {
    const trials = settings((setting) => inFloat32(setting) && setting.recipe.name === 'fused');
    for (const [law, damage] of [
      ['state-progress', (base: Float32Array) => base],
      ['no-blank-lines', (base: Float32Array) => new Float32Array(base.length)],
    ] as const) {
      const change = (pair: Pair) => ({ ...pair, head: { ...pair.head, v: damage(pair.base.v) } });
      expect(fuzz(trials.slice(0, 2), undefined, change).of(law).broken).toBeGreaterThan(100);
    }
  });
});
