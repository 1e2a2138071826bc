/** state-progress: no line of a stepped tensor stood still. */
import type { Binding, Constants, Element, LawContext, LineLaw } from './law.ts';
import { provesMoments, provesUpdates } from './optimizer-kinds.ts';
import { stepsBetween } from './window.ts';

/** Which tensor a binding is about: `constants.subject`. */
export const subjects = ['w', 'm', 'v'] as const;

/** Elements of a line that must move before its standing still is evidence. */
const least = 12;

/** Below this a second moment is too close to underflow to say anything. */
const alive = 1e-30;

/** Below 64 times the smallest normal float32, lr·m may be flushed to 0. */
const normal = 2 ** -120;

/**
 * The smallest rate that moves a weight by lr·m/√v; 0 (weights are not judged) where another root
 * divides: AMSGrad's maximum, RAdam's unrectified steps, LAMB's trust ratio.
 */
function weightRate(context: LawContext): number {
  const divides = context.kind !== 'amsgrad' && provesUpdates(context) === null;
  return divides && context.rates ? context.rates[0] : 0;
}

function bind(context: LawContext): Binding {
  const refusal = provesMoments(context);
  if (refusal !== null) return { kind: 'unknown', reason: refusal };
  if (!context.beta2) return { kind: 'unknown', reason: context.betasUnknown ?? 'betas unknown' };
  if (!context.ownSteps) {
    return {
      kind: 'unknown',
      reason: 'one step counter for many parameters, which may have skipped steps',
    };
  }
  if (context.stateFormat.cast > 0)
    return { kind: 'unknown', reason: '16-bit state may stand still' };
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  const beta2 = context.beta2[1];
  return {
    kind: 'bound',
    constants: {
      subject: 0,
      inherited: beta2 ** steps.k,
      share: -Math.expm1(steps.k * Math.log(beta2)),
      rate: weightRate(context),
      eps: context.eps ?? 0,
    },
  };
}

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** Distance from |x| to the next larger float32. */
export function spacing(x: number): number {
  single[0] = Math.abs(x);
  const exponent = (word[0] as number) >>> 23;
  return exponent === 0 ? 2 ** -149 : 2 ** (exponent - 150);
}

type Named = Readonly<Record<'subject' | 'inherited' | 'share' | 'rate' | 'eps', number>>;

/** Standing still bit for bit would be a coincidence for this element (operands wA mA vA mB vB). */
function mustMove(element: Element, constants: Constants): boolean {
  const c = constants as Named;
  const wBase = element[0] as number;
  const mBase = element[1] as number;
  const vBase = element[2] as number;
  const mHead = element[3] as number;
  const vHead = element[4] as number;
  if (c.subject === 0) {
    // Some optimizers multiply lr by m before they divide: a product that is flushed moves nothing.
    const push = c.rate * Math.abs(mHead);
    const step = push / (Math.sqrt(vHead) + c.eps);
    return push > normal && step > 64 * spacing(wBase);
  }
  if (!(vBase > alive)) return false;
  const square = mBase * mBase;
  if (c.subject === 2) return Math.abs(square - vBase) > 1e-3 * vBase;
  // m at rest means g = m all along, hence v_B − β₂ᵏ v_A = (1 − β₂ᵏ) m².
  const rests = Math.abs(vHead - c.inherited * vBase - c.share * square) <= 1e-2 * c.share * vHead;
  return !rests && Math.abs(mBase) > alive;
}

/** A line of one magnitude throughout (masked to 0, clamped to ±c) may stand still: not judged. */
function judgeLine(
  base: Uint32Array,
  head: Uint32Array,
  relevant: readonly boolean[],
): boolean | null {
  let wanted = 0;
  let stood = 0;
  let uniform = true;
  for (let i = 0; i < head.length; i++) {
    if (((head[i] as number) & 0x7fffffff) !== ((head[0] as number) & 0x7fffffff)) uniform = false;
    if (!relevant[i]) continue;
    wanted += 1;
    if (base[i] === head[i]) stood += 1;
  }
  if (wanted < least || uniform) return null;
  return stood !== wanted;
}

export const stateProgress: LineLaw = {
  id: 'state-progress',
  scope: 'line',
  needsMoments: true,
  title: 'State that took a step has moved',
  family: 'movement',
  operands: ['wA', 'mA', 'vA', 'mB', 'vB'],
  statement:
    'In no aligned line of 16 float32 with at least 12 elements that must move are all of those bit-identical ' +
    'in base and head.',
  derivation:
    'Not a theorem but a coincidence count: an element that must move repeats its bits in fewer than 1 of ' +
    '64 steps, so 12 of a line do so with less than 2e-22. Elements at rest are told apart first: v rests ' +
    'only where m² = v, m only where every gradient equals m, a weight where its step is below 64 ulp or too close to underflow.',
  needs:
    'weights and moments at base and head in float32, own steps, β₂; for weights the smallest rate',
  cost: 'none beside moment-increment',
  cannotSee:
    'Stale data in 16-bit tensors; a stale part shorter than a line; training on one repeated full batch.',
  advice:
    'A stale page or shard: re-read the file; if it repeats, go back to the base and check the storage.',
  bind,
  subject: (constants) => subjects[constants.subject as 0 | 1 | 2],
  relevant: mustMove,
  judgeLine,
  explain: () =>
    'a line of 16 elements is bit for bit what it was, although at least 12 of them must have moved',
};
