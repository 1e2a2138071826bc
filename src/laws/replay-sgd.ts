/** replay-sgd: at k = 1 a weight follows from the momentum buffer. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { oneStep } from './window.ts';

function refusal(context: LawContext): string | null {
  if (context.kind !== 'sgd') return context.kind === null ? 'optimizer class unknown' : 'only SGD';
  const steps = oneStep(context);
  if (steps !== null) return steps;
  if (!context.weightFormat || context.weightFormat.cast > 0)
    return 'only float32 weights are replayed';
  if (context.stateFormat.cast > 0) return 'only float32 state is replayed';
  if (typeof context.hyper.momentum !== 'number') return 'momentum unknown';
  if (context.rate === null)
    return context.ratesUnknown ?? 'the learning rate of the step is unknown';
  const nesterov = context.hyper.nesterov === true;
  if (nesterov && context.hyper.dampening !== 0) return 'Nesterov momentum with dampening';
  return null;
}

function bind(context: LawContext): Binding {
  const why = refusal(context);
  if (why !== null) return { kind: 'unknown', reason: why };
  const { unit, tiny } = context.stateFormat;
  const rate = context.rate as number;
  // `maximize` climbs: torch negates the gradient before the buffer, which then carries the sign.
  return {
    kind: 'bound',
    constants: {
      rate,
      momentum: context.hyper.momentum as number,
      nesterov: context.hyper.nesterov === true ? 1 : 0,
      stepError: 8 * unit * rate,
      weightError: 2 * unit,
      underflow: 4 * tiny,
    },
  };
}

function sides(element: Element, constants: Constants): Sides {
  const wBase = element[0] as number;
  const wHead = element[1] as number;
  const base = element[2] as number;
  const head = element[3] as number;
  const { rate, momentum, nesterov, stepError, weightError, underflow } = constants as Readonly<
    Record<'rate' | 'momentum' | 'nesterov' | 'stepError' | 'weightError' | 'underflow', number>
  >;
  // The trainer counts steps that loss scaling skipped: then neither moved.
  if (wBase === wHead && base === head) return { left: 0, right: 0 };
  const step = nesterov === 1 ? head - momentum * base + momentum * head : head;
  const scale =
    nesterov === 1 ? Math.abs(head) * (1 + momentum) + momentum * Math.abs(base) : Math.abs(head);
  const slack = stepError * scale + weightError * (Math.abs(wBase) + Math.abs(wHead)) + underflow;
  return { left: Math.abs(wBase - rate * step - wHead), right: slack };
}

export const replaySgd: ElementLaw = {
  id: 'replay-sgd',
  scope: 'element',
  oneStep: true,
  about: 'w',
  kinds: new Set(['sgd']),
  title: 'One step of SGD: the weight follows from its momentum',
  family: 'replay',
  operands: ['wA', 'wB', 'bA', 'bB'],
  statement: '|w_A − lr·d − w_B| ≤ rounding, d = buf_B, or (1 + μ) buf_B − μ buf_A with Nesterov.',
  derivation:
    'The buffer after the step is all the update is made of (L2 decay is inside it). Eight roundings of the ' +
    'step and two of the weight cover every order of operations.',
  needs:
    'weights and momentum buffers one step apart in float32, momentum, the learning rate of the step',
  cost: '16 bytes an element',
  cannotSee: 'Anything at k ≥ 2: the gradients in between are free.',
  advice: 'Go back to the base.',
  bind,
  sides,
  explain: ({ left, right }) =>
    `one step was taken, and the weight is ${left.toPrecision(6)} away from where its momentum puts it; ` +
    `rounding explains ${right.toPrecision(6)}`,
};
