/** moment-increment: what m and v gained between two checkpoints came from the same gradients. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { provesMoments } from './optimizer-kinds.ts';
import { decayOf, driftOf, momentConstant } from './rounding.ts';
import { stepsBetween } from './window.ts';

function explain({ left, right }: Sides, element: Element, constants: Constants): string {
  const { inherited } = constants as Named;
  const vBase = element[1] as number;
  const vHead = element[3] as number;
  if (left === Infinity) {
    return (
      `the second moment is ${vHead.toPrecision(6)}; decay by β₂ alone leaves at least ` +
      `${(inherited * vBase).toPrecision(6)} of the base’s ${vBase.toPrecision(6)}, whatever the gradients were`
    );
  }
  return (
    `the first moment moved by (Δm)² = ${left.toPrecision(6)}; what the second moment gained allows ` +
    `${right.toPrecision(6)}`
  );
}

function bind(context: LawContext): Binding {
  const refusal = provesMoments(context);
  if (refusal !== null) return { kind: 'unknown', reason: refusal };
  if (!context.beta1 || !context.beta2)
    return { kind: 'unknown', reason: context.betasUnknown ?? 'betas unknown' };
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  if (!context.ownSteps) {
    return {
      kind: 'unknown',
      reason: 'one step counter for many parameters, which may have skipped steps',
    };
  }
  const k = steps.k;
  const first = decayOf(context.beta1, context.stateFormat);
  const second = decayOf(context.beta2, context.stateFormat);
  const constant = momentConstant(first, second, k);
  const low = first.bLow ** k;
  const high = first.bHigh ** k;
  return {
    kind: 'bound',
    constants: {
      constant,
      finite: Number.isFinite(constant) ? 1 : 0,
      middle: (high + low) / 2,
      half: (high - low) / 2,
      inherited: second.bLow ** k * (1 - 2 * context.stateFormat.cast),
      firstDrift: driftOf(first, k),
      secondDrift: driftOf(second, k),
      cast: 2 * context.stateFormat.cast,
    },
  };
}

type Named = Readonly<
  Record<
    'constant' | 'middle' | 'half' | 'inherited' | 'firstDrift' | 'secondDrift' | 'cast',
    number
  >
>;

function sides(element: Element, constants: Constants): Sides {
  const mBase = element[0] as number;
  const vBase = element[1] as number;
  const mHead = element[2] as number;
  const vHead = element[3] as number;
  const c = constants as Named;
  const widened = 1 + c.cast;
  const gained = vHead * widened + c.secondDrift - c.inherited * vBase;
  // An infinite constant (β₁² ≥ β₂ and many steps) leaves second-moment decay alone.
  if (constants.finite === 0) return { left: -gained, right: 0 };
  const size = Math.abs(mBase);
  const slack = c.half * size + c.firstDrift + c.cast * (Math.abs(mHead) + c.middle * size);
  const moved = Math.max(0, Math.abs(mHead - c.middle * mBase) - slack) * (1 - c.cast);
  return { left: gained < 0 ? Infinity : moved * moved, right: c.constant * gained * widened };
}

export const momentIncrement: ElementLaw = {
  id: 'moment-increment',
  scope: 'element',
  about: 'v',
  title: 'The moments moved together',
  family: 'reachability',
  operands: ['mA', 'vA', 'mB', 'vB'],
  statement: '(m_B − β₁ᵏ m_A)² ≤ C_k · (v_B − β₂ᵏ v_A) for every element; so v_B ≥ β₂ᵏ v_A.',
  derivation:
    'The increments are sums over the last k gradients only, and Cauchy–Schwarz binds them as it binds ' +
    'the moments themselves. For k ≥ 2 the converse holds too: whatever satisfies this is the work of some ' +
    'gradients, so nothing more can be proved from the moments. Rounding: what m_A hands down lies in ' +
    '[bLow^k, bHigh^k]; of v_A at least bLow^k is left.',
  needs:
    'first and second moment at base and head, β₁, β₂ constant in between, the parameter’s own steps',
  cost: '16 bytes an element',
  cannotSee:
    'Upward jumps of v: one large gradient explains them. unbacked-growth suspects them, and where the file ' +
    'alone is damaged the next pair shows them. Changes of m smaller than √(C_k · what v gained).',
  advice:
    'Go back to the base; compare the tensor’s damaged elements with the file’s pages and ranks.',
  bind,
  sides,
  explain,
};
