/** average-between: whatever the decay, an average lies between what it averages. */
import { averageTiny, averagingOf, updateError } from './average.ts';
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';

/** Updates that one step of the optimizer may bring: scripts that accumulate update at each part. */
const updatesMost = 16;

function bind(context: LawContext): Binding {
  const averaging = averagingOf(context);
  if ('kind' in averaging) return averaging;
  return { kind: 'bound', constants: { slack: updatesMost * updateError, averageTiny } };
}

function sides(element: Element, constants: Constants): Sides {
  const before = element[0] as number;
  const after = element[1] as number;
  const { slack, averageTiny: tiny } = constants as Readonly<
    Record<'slack' | 'averageTiny', number>
  >;
  const [earlier, later] = [element[2] as number, element[3] as number];
  const low = Math.min(before, earlier, later);
  const high = Math.max(before, earlier, later);
  const size = Math.max(Math.abs(low), Math.abs(high));
  return { left: Math.max(0, low - after, after - high), right: 2 * slack * size + tiny };
}

export const averageBetween: ElementLaw = {
  id: 'average-between',
  scope: 'element',
  fallbackFor: 'replay-average',
  about: 'e',
  title: 'The average lies between what it averages',
  family: 'reachability',
  operands: ['eA', 'eB', 'wA', 'wB'],
  statement: 'min(e_A, w_A, w_B) ≤ e_B ≤ max(e_A, w_A, w_B) within 128u of the largest.',
  derivation:
    'Every update moves the average towards the weights of that moment by a share between 0 and 1, never past ' +
    'them. Within one step of the optimizer the weights are w_A or w_B, so up to 16 updates, before or ' +
    'after it and with any decay, leave the average in the hull of the three; each rounds within 4u of ' +
    'two of them.',
  needs: 'averages and weights at both ends of one step in float32',
  cost: '8 bytes an element beside bounded-update',
  cannotSee: 'Any change inside the hull.',
  advice: 'Go back to the base, or restart the average from the weights.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `the average lies ${left.toPrecision(6)} outside the weights that it averages; rounding explains ` +
    right.toPrecision(6),
};
