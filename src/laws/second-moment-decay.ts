/** second-moment-decay: v cannot shrink faster than β₂, however many of the k steps were real. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { secondMomentRate } from './optimizer-kinds.ts';
import { decayOf, driftOf } from './rounding.ts';
import { stepsBetween } from './window.ts';

function bind(context: LawContext): Binding {
  const rate = secondMomentRate(context);
  if (typeof rate === 'string') return { kind: 'unknown', reason: rate };
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const second = decayOf(rate, context.stateFormat);
  const cast = 2 * context.stateFormat.cast;
  return {
    kind: 'bound',
    constants: {
      inherited: second.bLow ** steps.k * (1 - cast),
      drift: driftOf(second, steps.k),
      widened: 1 + cast,
    },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const { inherited, drift, widened } = constants as Readonly<
    Record<'inherited' | 'drift' | 'widened', number>
  >;
  return {
    left: inherited * (element[0] as number),
    right: (element[1] as number) * widened + drift,
  };
}

export const secondMomentDecay: ElementLaw = {
  id: 'second-moment-decay',
  scope: 'element',
  about: 'v',
  fallbackFor: 'moment-increment',
  title: 'The second moment decays no faster than its rate',
  family: 'reachability',
  operands: ['vA', 'vB'],
  statement: 'v_B ≥ rᵏ v_A: r is β₂ for the Adam family, α for RMSprop, 1 for Adagrad’s sum.',
  derivation:
    'Each step keeps r of v and adds a square (Adamax: takes the larger). Fewer real steps than the counter says only leave more of ' +
    'v_A, so the law holds under shared counters too. It follows from moment-increment where that can run.',
  needs: 'second moments at base and head, their rate, a step counter',
  cost: '8 bytes an element',
  cannotSee: 'Any increase of v, and decreases smaller than the gradient energy of the window.',
  advice: 'Go back to the base.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `the second moment is ${right.toPrecision(6)}; decay alone leaves at least ${left.toPrecision(6)} of the base's`,
};
