/** replay-average: at k = 1 an average of the weights follows from the one before and the weights. */
import { averageTiny, averagingOf, updateError } from './average.ts';
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';

function bind(context: LawContext): Binding {
  const averaging = averagingOf(context);
  if ('kind' in averaging) return averaging;
  if (averaging.share === null) return { kind: 'unknown', reason: averaging.shareUnknown };
  const [low, high] = averaging.share;
  return {
    kind: 'bound',
    constants: { share: (low + high) / 2, half: (high - low) / 2, updateError, averageTiny },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const before = element[0] as number;
  const after = element[1] as number;
  const weight = element[2] as number;
  const c = constants as Readonly<Record<'share' | 'half' | 'updateError' | 'averageTiny', number>>;
  const way = weight - before;
  const slack = c.updateError * (Math.abs(before) + Math.abs(weight)) + c.averageTiny;
  return {
    left: Math.abs(after - (before + c.share * way)),
    right: c.half * Math.abs(way) + slack,
  };
}

export const replayAverage: ElementLaw = {
  id: 'replay-average',
  scope: 'element',
  oneStep: true,
  about: 'e',
  title: 'One step: the average of the weights follows from them',
  family: 'replay',
  operands: ['eA', 'eB', 'wB'],
  statement: '|e_B − (d·e_A + (1 − d)·w_B)| ≤ 4u (|e_A| + |w_B|), one d for the whole tensor.',
  derivation:
    'An exponential or equal average takes one share 1 − d of the new weights, the same for every element. ' +
    'Where d is not declared, each element allows an interval of shares; if one share lies in all of them but ' +
    'for one in 256, it is the tensor’s, and an element that it does not explain was changed. ' +
    'Lerp, d·e + (1 − d)·w and e − (1 − d)(e − w) all round within 4u.',
  needs:
    'the average at both ends and the weights after one step in float32; the decay (`ema_decay`), or 64 ' +
    'elements that tell it',
  cost: '8 bytes an element beside bounded-update',
  cannotSee: 'The lowest bits; a scale that the whole tensor shares, unless the decay is declared.',
  advice: 'Go back to the base, or restart the average from the weights.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `one step was taken, and the average is ${left.toPrecision(6)} away from where the weights pull it; ` +
    `rounding explains ${right.toPrecision(6)}`,
};
