/** maximum-dominates: AMSGrad's running maximum is one. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { decayOf, driftOf, grown } from './rounding.ts';
import { stepsBetween } from './window.ts';

function bind(context: LawContext): Binding {
  if (context.kind !== 'amsgrad')
    return { kind: 'unknown', reason: 'only AMSGrad keeps a maximum' };
  if (!context.beta2) return { kind: 'unknown', reason: context.betasUnknown ?? 'betas unknown' };
  if (context.stateFormat.cast > 0) {
    return {
      kind: 'unknown',
      reason: '16-bit state may have been rounded once more when it was stored',
    };
  }
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const second = decayOf(context.beta2, context.stateFormat);
  const constants = { drift: driftOf(second, steps.k), grown: grown(second.bLow, steps.k - 1) };
  return { kind: 'bound', constants };
}

function sides(element: Element, constants: Constants): Sides {
  const vHead = element[0] as number;
  const xBase = element[1] as number;
  const xHead = element[2] as number;
  const { drift, grown: factor } = constants as Readonly<Record<'drift' | 'grown', number>>;
  const top = Math.max(xBase, (vHead + drift) * factor);
  const low = Math.max(vHead, xBase);
  const above = Number.isNaN(top) ? -Infinity : xHead - top;
  return { left: Math.max(low - xHead, above), right: 0 };
}

export const maximumDominates: ElementLaw = {
  id: 'maximum-dominates',
  scope: 'element',
  about: 'x',
  kinds: new Set(['amsgrad']),
  title: 'The running maximum is a maximum',
  family: 'reachability',
  operands: ['vB', 'xA', 'xB'],
  statement: 'max(v_B, x_A) ≤ x_B ≤ max(x_A, v_B β₂^(1−k)).',
  derivation:
    'x is the largest v so far: never below v_B or x_A, and never above what v can have been inside the ' +
    'window, which decay bounds by v_B/β₂^(k−1).',
  needs: 'AMSGrad’s second moment and maximum, β₂, own steps',
  cost: '4 bytes an element beside moment-increment',
  cannotSee: 'A maximum raised within what v may have reached.',
  advice: 'Go back to the base.',
  bind,
  sides,
  explain: ({ left }) => `the stored maximum is off by ${left.toPrecision(6)}`,
};
