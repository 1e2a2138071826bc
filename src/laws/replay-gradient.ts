/** replay-gradient: at k = 1 the saved gradient is the one that the first moment took in. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { provesMoments } from './optimizer-kinds.ts';
import { betaError } from './rounding.ts';
import { oneStep } from './window.ts';

function refusal(context: LawContext): string | null {
  const why = provesMoments(context) ?? oneStep(context);
  if (why !== null) return why;
  if (!context.beta1 || context.beta1[0] !== context.beta1[1])
    return context.betasUnknown ?? 'β₁ unknown or scheduled';
  if (context.stateFormat.cast > 0) return 'only float32 state is replayed';
  if (context.hyper.maximize === true) return 'the moments hold the negated gradient';
  const l2 = context.weightDecay === 0 && context.hyper.weight_decay !== 0;
  return l2 || context.weightDecay === null
    ? 'L2 decay is added to the gradient after it was saved'
    : null;
}

function bind(context: LawContext): Binding {
  const why = refusal(context);
  if (why !== null) return { kind: 'unknown', reason: why };
  const beta1 = (context.beta1 as readonly [number, number])[0];
  const { unit, tiny } = context.stateFormat;
  const fresh = 1 - beta1;
  return {
    kind: 'bound',
    constants: {
      beta1,
      fresh,
      headError: (2 * unit) / fresh,
      baseError: (4 * unit * beta1 + 2 * betaError) / fresh,
      gradientError: 5 * unit + betaError / fresh,
      underflow: (4 * tiny) / fresh,
    },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const mBase = element[0] as number;
  const mHead = element[1] as number;
  const c = constants as Readonly<
    Record<'beta1' | 'fresh' | 'headError' | 'baseError' | 'gradientError' | 'underflow', number>
  >;
  const gradient = (mHead - c.beta1 * mBase) / c.fresh;
  const error =
    c.headError * Math.abs(mHead) +
    c.baseError * Math.abs(mBase) +
    c.underflow +
    c.gradientError * Math.abs(gradient);
  return { left: Math.abs(gradient - (element[2] as number)), right: error };
}

export const replayGradient: ElementLaw = {
  id: 'replay-gradient',
  scope: 'element',
  oneStep: true,
  about: 'g',
  title: 'One step: the saved gradient is the one in the first moment',
  family: 'replay',
  operands: ['mA', 'mB', 'gB'],
  statement: '|g − (m_B − β₁ m_A)/(1 − β₁)| ≤ rounding.',
  derivation:
    'The first moment gives its gradient back at k = 1, up to the rounding of its own cancellation.',
  needs:
    'the gradient of the last step after clipping, first moments one step apart, β₁; no L2 decay',
  cost: '4 bytes an element beside moment-increment',
  cannotSee: 'A gradient that was wrong before the optimizer saw it.',
  advice: 'Gradient or first moment was changed after the step; go back to the base.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `the saved gradient is ${left.toPrecision(6)} away from the one that the first moment took in; ` +
    `rounding explains ${right.toPrecision(6)}`,
};
