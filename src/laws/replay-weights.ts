/** replay-weights: at k = 1 the weight follows from its state. */
import type { Binding, Constants, Element, ElementLaw, LawContext, Sides } from './law.ts';
import { capped, provesUpdates } from './optimizer-kinds.ts';
import { correctionError } from './rounding.ts';
import { oneStep } from './window.ts';

function refusal(context: LawContext): string | null {
  const kind = provesUpdates(context) ?? oneStep(context);
  if (kind !== null) return kind;
  if (!context.beta1 || !context.beta2) return context.betasUnknown ?? 'betas unknown';
  if (context.beta1[0] !== context.beta1[1]) return 'β₁ is scheduled';
  if (!context.weightFormat || context.weightFormat.cast > 0)
    return 'only float32 weights are replayed';
  if (context.stateFormat.cast > 0) return 'only float32 state is replayed';
  if (context.eps === null || !(context.eps > 0)) return 'eps unknown';
  if (context.weightDecay === null) return 'weight decay unknown';
  if (context.rate === null)
    return context.ratesUnknown ?? 'the learning rate of the step is unknown';
  return null;
}

function bind(context: LawContext): Binding {
  const why = refusal(context);
  if (why !== null) return { kind: 'unknown', reason: why };
  const { beta1, beta2, eps, weightDecay, rate } = context as LawContext & {
    readonly beta1: readonly [number, number];
    readonly beta2: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
    readonly rate: number;
  };
  const { unit, tiny } = context.stateFormat;
  const t = context.stepHead as number;
  const corrected = context.biasCorrection;
  const errors = corrected ? correctionError(beta1[0], t) + correctionError(beta2[0], t) : 0;
  return {
    kind: 'bound',
    constants: {
      rate,
      firstCorrection: corrected ? 1 - beta1[0] ** t : 1,
      secondCorrection: corrected ? Math.sqrt(1 - beta2[0] ** t) : 1,
      eps,
      kept: 1 - rate * weightDecay,
      stepError: 24 * unit + errors,
      baseError: 4 * unit,
      headError: unit,
      // lr·m̂ may underflow before it is divided by a denominator that is ε alone.
      underflow: tiny + (Math.max(1, rate) / eps) * 4 * tiny,
      maximum: context.kind === 'amsgrad' ? 1 : 0,
    },
  };
}

type Named = Readonly<
  Record<
    | 'rate'
    | 'firstCorrection'
    | 'secondCorrection'
    | 'eps'
    | 'kept'
    | 'stepError'
    | 'baseError'
    | 'headError'
    | 'underflow'
    | 'maximum',
    number
  >
>;

function sides(element: Element, constants: Constants): Sides {
  const wBase = element[0] as number;
  const wHead = element[1] as number;
  const c = constants as Named;
  const v = (c.maximum === 1 ? element[4] : element[3]) as number;
  const unit =
    (element[2] as number) / c.firstCorrection / (Math.sqrt(v) / c.secondCorrection + c.eps);
  const step = c.rate * unit;
  const slack =
    c.stepError * Math.abs(step) +
    c.baseError * Math.abs(wBase) +
    c.headError * Math.abs(wHead) +
    c.underflow;
  return { left: Math.abs(wHead - (wBase * c.kept - step)), right: slack };
}

function explain({ left, right }: Sides): string {
  return (
    `one step was taken, and the weight is ${left.toPrecision(6)} away from where its moments put it; ` +
    `rounding explains ${right.toPrecision(6)}`
  );
}

export const replayWeights: ElementLaw = {
  id: 'replay-weights',
  scope: 'element',
  oneStep: true,
  about: 'w',
  except: capped,
  title: 'One step: the weight follows from its state',
  family: 'replay',
  operands: ['wA', 'wB', 'mB', 'vB', 'xB'],
  statement: '|w_B − (1 − lr·λ) w_A + lr·m̂_B/(√v̂_B + ε)| ≤ rounding.',
  derivation:
    'At k = 1 the update is a function of the state after it. Every order of operations of Adam and AdamW ' +
    'stays within 24u of the step (square root, two divisions, casts), 4u of w_A and u of w_B; where β and ' +
    'its power are float32 the bias corrections add t·βᵗ⁻¹·2⁻²⁴.',
  needs:
    'weights one step apart in float32, moments after it, β₁, β₂, ε, decay, the learning rate of the step',
  cost: 'none beside bounded-update',
  cannotSee: 'The lowest two or three bits of a weight.',
  advice: 'Go back to the base; if every tensor breaks, the declared learning rate is wrong.',
  bind,
  sides,
  explain,
};
