/** Plans laws: which speak of a parameter in this pair, with which constants, and why the others cannot. */
import type { Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Stream } from '../engines/engine.ts';
import { blockScale } from '../laws/block-scale.ts';
import type { Averaging, BoundLaw, Constants, ElementLaw, LineLaw, Operand } from '../laws/law.ts';
import { laws } from '../laws/laws.ts';
import { noBlankLines } from '../laws/no-blank-lines.ts';
import { isRunningVariance, runningVariance } from '../laws/running-variance.ts';
import { subjects } from '../laws/state-progress.ts';
import type { Ledger } from '../records/ledger.ts';
import type { CoverageTally } from './coverage.ts';
import { lawContexts, type Pair, stepsOf } from './law-context.ts';
import type { ScanOptions } from './options.ts';

/** A law on one tensor; `alternatives` index `Sweep.laws`: broken means broken by all of them. */
export interface PlannedLaw {
  readonly law: ElementLaw | LineLaw;
  readonly subject: Tensor;
  readonly alternatives: readonly number[];
  /** Holds a weight, or its gradient, against state whose owner is only assumed. */
  readonly onAssumption: boolean;
}

export interface PlanContext {
  readonly pair: Pair;
  readonly options: ScanOptions;
  readonly coverage: CoverageTally;
  /** Base and head are two copies of one step. */
  readonly sameStep: boolean;
  /** By the trainer's own step, and not by counters of optimizers alone. */
  readonly sameTrainer: boolean;
  /** Why no pair law can run (`no base`, …); null where they can. */
  readonly pairRefusal: string | null;
  /** What is known of the update of each unit's average, by unit key. */
  readonly averagings: ReadonlyMap<string, Averaging>;
  /** What is kept of the base; null: it is read like the head. */
  readonly ledger: Ledger | null;
}

/** Why laws that need weights cannot run on state without an owner. */
export const unknownOwner = 'owner of the state unknown';

/** Why they say nothing on state whose owner order alone tells. */
export const assumedOwner = 'order alone tells the owner of the state';

/** Does the law hold what is named (weight, gradient) against what is numbered (state, group)? */
function joinsOwner(law: ElementLaw | LineLaw, letter: string): boolean {
  if (law.scope === 'line') return law.needsMoments && letter === 'w';
  return law.about !== 'e' && law.operands.some((operand) => /^[wg]/.test(operand));
}

/** Tensors of a sweep by the part that they play. */
export type Streams = Partial<Record<Operand, Stream>>;

/** Operands without which a law cannot be judged on `letter`'s tensor. */
function needed(law: ElementLaw | LineLaw, letter: string, unit: Unit): readonly Operand[] {
  if (law.scope === 'line') {
    const moments: readonly Operand[] = law.needsMoments ? ['mA', 'mB', 'vA', 'vB'] : [];
    return [`${letter}A` as Operand, `${letter}B` as Operand, ...moments];
  }
  // Only AMSGrad keeps a maximum.
  return law.operands.filter((operand) => !operand.startsWith('x') || unit.maximum.head !== null);
}

/** The first operand that is needed and not there, in words; null where all are. */
function missing(operands: readonly Operand[], unit: Unit, streams: Streams): string | null {
  const absent = operands.find((operand) => !streams[operand]);
  if (absent === undefined) return null;
  if (absent.startsWith('w') && unit.head.state.parameter === null) return unknownOwner;
  return absent.endsWith('A')
    ? 'shape or type changed, or missing in the base'
    : 'missing or unreadable';
}

/** Head tensors of a unit by the letter of their operand. */
function headsOf(unit: Unit): Readonly<Record<string, Tensor | null>> {
  return {
    w: unit.weight.head,
    m: unit.first.head,
    v: unit.second.head,
    x: unit.maximum.head,
    b: unit.momentum.head,
    e: unit.average.head,
    g: unit.gradient,
  };
}

interface Target {
  readonly tensor: Tensor;
  readonly letter: string;
}

/**
 * What a law is about in this unit: one tensor, or for a line law up to three. A law about state that
 * this optimizer does not keep is about nothing here.
 */
function targets(law: ElementLaw | LineLaw, unit: Unit): Target[] {
  const heads = headsOf(unit);
  const state = (letter: string) => heads[letter] !== null && heads[letter] !== undefined;
  if (law.scope === 'line') {
    if (law.needsMoments && !(state('m') && state('v'))) return [];
    return subjects.flatMap((letter) => {
      const tensor = heads[letter];
      return tensor ? [{ tensor, letter }] : [];
    });
  }
  if (law.about === 's') return [];
  const kind = unit.head.optimizer.kind ?? '';
  if ((law.kinds && !law.kinds.has(kind)) || law.except?.has(kind)) return [];
  const letters = law.operands.map((operand) => operand[0] as string);
  const optional = law.about === 'x' ? 'w' : 'wx';
  if (letters.some((letter) => !optional.includes(letter) && !state(letter))) return [];
  // Weights whose owner is unknown are counted by the state that would have judged them.
  const tensor = heads[law.about] ?? heads.v ?? heads.b;
  return tensor ? [{ tensor, letter: law.about }] : [];
}

function isPairLaw(law: ElementLaw | LineLaw): boolean {
  return law.operands.some((operand) => operand.endsWith('A'));
}

/** Constants for every reading of the file, or why the law cannot be bound. */
function bindAll(
  law: ElementLaw | LineLaw,
  unit: Unit,
  context: PlanContext,
): readonly Constants[] | string {
  const contexts = lawContexts(unit, context.pair, context.options);
  if (typeof contexts === 'string') return contexts;
  const averaging = context.averagings.get(unit.key) ?? null;
  const found = new Map<string, Constants>();
  for (const each of contexts) {
    const binding = law.bind({ ...each, averaging });
    if (binding.kind === 'unknown') return binding.reason;
    found.set(JSON.stringify(binding.constants), binding.constants);
  }
  return [...found.values()];
}

/**
 * Does the law speak of this unit in this pair at all? A parameter that the base did not know has no
 * pair; two copies of one step are compared bit for bit; a replay is about one step.
 */
function concerns(law: ElementLaw | LineLaw, unit: Unit, context: PlanContext): boolean {
  if (!isPairLaw(law) || !context.pair.base || context.pairRefusal !== null)
    return !context.sameStep || !isPairLaw(law);
  if (!unit.base) return false;
  if (law.scope === 'line' || !law.oneStep) return true;
  const { stepBase, stepHead } = stepsOf(unit, context.pair);
  return stepBase === null || stepHead === null || stepHead - stepBase === 1;
}

/** One step between the two: a replay can show whether weight and state belong together. */
function isOneStep(unit: Unit, context: PlanContext): boolean {
  const { stepBase, stepHead } = stepsOf(unit, context.pair);
  return stepBase !== null && stepHead === stepBase + 1;
}

/** Laws of one sweep: as the engine gets them, and what each is about. */
export interface Laws {
  readonly bound: BoundLaw[];
  readonly planned: PlannedLaw[];
}

/** Plans one law, or says in coverage why it cannot run; false where it is about nothing here. */
function planLaw(
  law: ElementLaw | LineLaw,
  unit: Unit,
  streams: Streams,
  into: Laws,
  context: PlanContext,
): boolean {
  const stronger = law.scope === 'element' ? law.fallbackFor : undefined;
  if (stronger !== undefined && into.planned.some((planned) => planned.law.id === stronger))
    return false;
  if (!concerns(law, unit, context)) return false;
  const found = targets(law, unit);
  for (const { tensor, letter } of found) {
    const lines =
      law.scope === 'line' && tensor.dtype !== 'f32' ? 'only float32 is judged in lines' : null;
    const pair = isPairLaw(law) ? context.pairRefusal : null;
    const why = pair ?? lines ?? missing(needed(law, letter, unit), unit, streams);
    const onAssumption = unit.head.state.ownerAssumed === true && joinsOwner(law, letter);
    const unproven = onAssumption && !isOneStep(unit, context) ? assumedOwner : null;
    const constants = why ?? unproven ?? bindAll(law, unit, context);
    if (typeof constants === 'string') {
      context.coverage.unknown(law.id, tensor.elements, constants);
      continue;
    }
    const subject = subjects.indexOf(letter as (typeof subjects)[number]);
    const alternatives = constants.map((each) => {
      const bound = law.scope === 'line' ? { ...each, subject } : each;
      return into.bound.push({ law: law.id, constants: bound }) - 1;
    });
    into.planned.push({ law, subject: tensor, alternatives, onAssumption });
  }
  return found.length > 0;
}

/** Laws that say how far a step may move a weight. */
const updateLaws: ReadonlySet<string> = new Set([
  'bounded-update',
  'capped-update',
  'replay-weights',
  'replay-sgd',
]);

/** Weights that no law about updates speaks of: said, with the optimizer that is the reason. */
function countFreeWeights(unit: Unit, context: PlanContext): void {
  const weight = unit.weight.head;
  if (!weight || !unit.base || !context.pair.base || context.pairRefusal !== null) return;
  const { kind } = unit.head.optimizer;
  const reason =
    kind === 'sgd'
      ? 'the gradients of SGD are free over more steps than one'
      : kind === null
        ? 'optimizer class unknown'
        : `no update law for ${kind}`;
  context.coverage.unknown('bounded-update', weight.elements, reason);
}

/** Did the trainer take a step between the two? Without its counters that is not known. */
function stepsBetween({ head, base }: Pair): boolean {
  return base !== null && head.step !== null && base.step !== null && head.step > base.step;
}

/**
 * Laws about a tensor whose optimizer state is unknown: a running variance by itself; a weight that is
 * there at both ends must not go blank, whoever trains it.
 */
export function singleLaws(tensor: Tensor, before: Tensor | null, context: PlanContext): Laws {
  const one = (law: ElementLaw | LineLaw, constants: Constants): Laws => ({
    bound: [{ law: law.id, constants }],
    planned: [{ law, subject: tensor, alternatives: [0], onAssumption: false }],
  });
  if (tensor.dtype !== 'f32') return { bound: [], planned: [] };
  if (tensor.role === 'buffer' && isRunningVariance(tensor.name)) return one(runningVariance, {});
  if (tensor.role === 'scale') return one(blockScale, {});
  const compared = before?.dtype === 'f32' && stepsBetween(context.pair);
  if (tensor.role !== 'parameter' || !compared) return { bound: [], planned: [] };
  return one(noBlankLines, { subject: 0, first: 0, second: 0 });
}

/** For a sweep that only compares. */
export const noLaws: Laws = { bound: [], planned: [] };

/** Every law about a unit that runs in its sweep; what cannot be told goes to coverage. */
export function planLaws(unit: Unit, streams: Streams, context: PlanContext): Laws {
  const into: Laws = { bound: [], planned: [] };
  let told = false;
  for (const law of laws) {
    if (law.scope === 'record') continue;
    const spoke = planLaw(law, unit, streams, into, context);
    if (spoke && updateLaws.has(law.id)) told = true;
  }
  if (!told) countFreeWeights(unit, context);
  return into;
}
