/** replay-moments: at k = 1 the one gradient that explains m must explain v. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { provesMoments } from './optimizer-kinds.ts';
import { betaError } from './rounding.ts';
import { oneStep } from './window.ts';

function bind(context: LawContext): Binding {
  const refusal = provesMoments(context) ?? oneStep(context);
  if (refusal !== null) return { kind: 'unknown', reason: refusal };
  if (!context.beta1 || !context.beta2) {
    return { kind: 'unknown', reason: context.betasUnknown ?? 'betas unknown' };
  }
  if (context.beta1[0] !== context.beta1[1]) return { kind: 'unknown', reason: 'β₁ is scheduled' };
  if (context.stateFormat.cast > 0) {
    return {
      kind: 'unknown',
      reason: '16-bit state may have been rounded once more when it was stored',
    };
  }
  const beta1 = context.beta1[0];
  const beta2 = context.beta2[0];
  if (!(beta1 < 1)) return { kind: 'unknown', reason: 'β₁ is not below 1' };
  const { unit, tiny } = context.stateFormat;
  const fresh1 = 1 - beta1;
  const fresh2 = 1 - beta2;
  return {
    kind: 'bound',
    constants: {
      beta1,
      fresh1,
      beta2,
      fresh2,
      headError: (2 * unit) / fresh1,
      baseError: (4 * unit * beta1 + 2 * betaError) / fresh1,
      gradientError: 5 * unit + betaError / fresh1,
      underflow: (4 * tiny) / fresh1,
      secondBase: 4 * unit * beta2,
      secondHead: 2 * unit,
      secondUnderflow: 4 * tiny,
      squareError: 5 * unit * fresh2 + betaError,
    },
  };
}

type Named = Readonly<
  Record<
    | 'beta1'
    | 'fresh1'
    | 'beta2'
    | 'fresh2'
    | 'headError'
    | 'baseError'
    | 'gradientError'
    | 'underflow'
    | 'secondBase'
    | 'secondHead'
    | 'secondUnderflow'
    | 'squareError',
    number
  >
>;

function sides(element: Element, constants: Constants): Sides {
  const mBase = element[0] as number;
  const vBase = element[1] as number;
  const mHead = element[2] as number;
  const vHead = element[3] as number;
  const c = constants as Named;
  const gradient = (mHead - c.beta1 * mBase) / c.fresh1;
  const size = Math.abs(gradient);
  const error =
    c.headError * Math.abs(mHead) +
    c.baseError * Math.abs(mBase) +
    c.underflow +
    c.gradientError * size;
  const want = c.beta2 * vBase + c.fresh2 * gradient * gradient;
  const farthest = size + error;
  const slack =
    c.secondBase * Math.abs(vBase) +
    c.secondHead * Math.abs(vHead) +
    c.secondUnderflow +
    c.fresh2 * (2 * size * error + error * error) +
    c.squareError * farthest * farthest;
  return { left: Math.abs(vHead - want), right: slack };
}

function explain({ left, right }: Sides): string {
  return (
    `one step was taken, and the only gradient that explains the first moment puts the second off by ` +
    `${left.toPrecision(6)}, where rounding explains ${right.toPrecision(6)}`
  );
}

export const replayMoments: ElementLaw = {
  id: 'replay-moments',
  scope: 'element',
  oneStep: true,
  about: 'v',
  title: 'One step: the gradient in m is the gradient in v',
  family: 'replay',
  operands: ['mA', 'vA', 'mB', 'vB'],
  statement: 'With g = (m_B − β₁ m_A)/(1 − β₁): |v_B − β₂ v_A − (1 − β₂) g²| ≤ rounding.',
  derivation:
    'At k = 1 one gradient made both moments. The first gives it back up to the rounding of its own ' +
    'cancellation, 2u|m_B|/(1 − β₁) and the like; that error and the roundings of v (at most 5u in every ' +
    'order of operations) bound what v may differ by.',
  needs: 'both moments one step apart, β₁, β₂, state in float32',
  cost: 'none beside moment-increment',
  cannotSee:
    'The lowest two or three bits of v and about eight of m: the freedom of legal rounding.',
  advice: 'Go back to the base; the step between is proof that one of the two moments was changed.',
  bind,
  sides,
  explain,
};
