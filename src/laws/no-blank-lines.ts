/** no-blank-lines: a line that held numbers did not become all zero. */
import type { Binding, Constants, Element, LawContext, LineLaw } from './law.ts';
import { subjects } from './state-progress.ts';
import { stepsBetween } from './window.ts';

/** Elements of a line that must have held numbers before its blankness is evidence. */
const least = 12;

/** What decay leaves must stay this far above underflow. */
const alive = 1e-30;

function bind(context: LawContext): Binding {
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const { beta1, beta2 } = context;
  return {
    kind: 'bound',
    constants: {
      subject: 0,
      // Unknown betas only take moments out of the law: a weight needs none.
      first: beta1 ? beta1[0] ** steps.k : 0,
      second: beta2 ? beta2[0] ** steps.k : 0,
    },
  };
}

function heldNumber(element: Element, constants: Constants): boolean {
  const { subject, first, second } = constants as Readonly<
    Record<'subject' | 'first' | 'second', number>
  >;
  if (subject === 1) return first * Math.abs(element[1] as number) > alive;
  if (subject === 2) return second * (element[2] as number) > alive;
  const weight = element[0] as number;
  return weight !== 0 && !Number.isNaN(weight);
}

function judgeLine(
  _base: Uint32Array,
  head: Uint32Array,
  relevant: readonly boolean[],
): boolean | null {
  if (relevant.filter(Boolean).length < least) return null;
  return head.some((word) => word !== 0);
}

export const noBlankLines: LineLaw = {
  id: 'no-blank-lines',
  scope: 'line',
  needsMoments: false,
  title: 'No line that held numbers became blank',
  family: 'movement',
  operands: ['wA', 'mA', 'vA'],
  statement:
    'No aligned line of 16 float32 is all +0 in the head if at least 12 of them held, in the base, numbers ' +
    'that decay cannot erase.',
  derivation:
    'Decay leaves β₁ᵏ|m| and β₂ᵏ v at least; far above underflow they cannot reach zero by themselves, and ' +
    'an exact cancellation in 12 of 16 neighbours at once is a coincidence below 1e-12 for a checkpoint. ' +
    'Pruning writes such lines on purpose: declare it.',
  needs: 'the tensor at base and head in float32, own steps; for moments β₁ and β₂',
  cost: 'none beside the pair pass',
  cannotSee: 'Zeroed memory in state that was nearly zero, or shorter than a line.',
  advice: 'Zeroed memory or a lost page: re-read the file; if it repeats, go back to the base.',
  bind,
  subject: (constants) => subjects[constants.subject as 0 | 1 | 2],
  relevant: heldNumber,
  judgeLine,
  explain: () =>
    'a line of 16 elements is all zero, although at least 12 of them held numbers before',
};
