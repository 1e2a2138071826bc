/** moment-bound: |m|² ≤ C_t·v, from one checkpoint alone. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { provesMoments } from './optimizer-kinds.ts';
import { decayOf, driftOf, momentConstant } from './rounding.ts';

function explain({ left, right }: Sides, element: Element): string {
  if (!((element[1] as number) >= 0))
    return 'a second moment is a mean of squares and cannot be negative';
  return `m² = ${left.toPrecision(6)} is above C·v = ${right.toPrecision(6)}: no gradients give both moments`;
}

function bind(context: LawContext): Binding {
  const refusal = provesMoments(context);
  if (refusal !== null) return { kind: 'unknown', reason: refusal };
  if (!context.beta1 || !context.beta2)
    return { kind: 'unknown', reason: context.betasUnknown ?? 'betas unknown' };
  // Without a step counter the bound for an endless history still holds for every finite one.
  const t = context.stepHead ?? Infinity;
  const first = decayOf(context.beta1, context.stateFormat);
  const second = decayOf(context.beta2, context.stateFormat);
  const constant = momentConstant(first, second, t);
  return {
    kind: 'bound',
    constants: {
      constant,
      finite: Number.isFinite(constant) ? 1 : 0,
      firstDrift: driftOf(first, t),
      secondDrift: driftOf(second, t),
      cast: 2 * context.stateFormat.cast,
    },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const m = element[0] as number;
  const v = element[1] as number;
  const { constant, firstDrift, secondDrift, cast } = constants as Readonly<
    Record<'constant' | 'firstDrift' | 'secondDrift' | 'cast', number>
  >;
  // An infinite constant proves nothing about m; that v is no negative number still holds.
  if (constants.finite === 0) return { left: -v, right: 0 };
  const size = Math.max(0, Math.abs(m) * (1 - cast) - firstDrift);
  return { left: v < 0 ? Infinity : size * size, right: constant * (v * (1 + cast) + secondDrift) };
}

export const momentBound: ElementLaw = {
  id: 'moment-bound',
  scope: 'element',
  about: 'v',
  title: 'The first moment is no larger than the second moment allows',
  family: 'reachability',
  operands: ['mB', 'vB'],
  statement: 'm² ≤ C_t · v for every element, and v ≥ 0.',
  derivation:
    'm = Σ c₁β₁ʲ g and v = Σ c₂β₂ʲ g² are sums over the same gradients, so Cauchy–Schwarz gives ' +
    'm² ≤ C_t·v with C_t = c₁²/c₂ · Σ_{j<t} (β₁²/β₂)ʲ. Equality is reachable: the constant is sharp. ' +
    'Rounding: c₁, β₁ are taken at their upper and c₂, β₂ at their lower ends; underflow adds a drift.',
  needs: 'first and second moment of Adam or a kin of it, β₁, β₂; the step sharpens it',
  cost: '8 bytes an element',
  cannotSee: 'Any damage after which m² is still at most C_t·v; with β₁² ≥ β₂ nearly all of it.',
  advice: 'Go back to the last trusted checkpoint; the state named here was not written by Adam.',
  bind,
  sides,
  explain,
};
