/** Plans one parameter: which tensors stream together, which laws are bound, and what cannot be told. */
import { type Ends, tensorsOf, type Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { MovementPlan, Stream, Sweep } from '../engines/engine.ts';
import type { BoundLaw, Constants, ElementLaw, LineLaw, Operand } from '../laws/law.ts';
import { laws, sweptLaw } from '../laws/laws.ts';
import { isRunningVariance, runningVariance } from '../laws/running-variance.ts';
import { subjects } from '../laws/state-progress.ts';
import type { CoverageTally } from './coverage.ts';
import { lawContexts, type Pair, stepsOf } from './law-context.ts';
import type { ScanOptions } from './options.ts';

/** A law on one tensor; `alternatives` index `Sweep.laws`: broken means broken by all of them. */
export interface PlannedLaw {
  readonly law: ElementLaw | LineLaw;
  readonly subject: Tensor;
  readonly alternatives: readonly number[];
}

/** Why two tensors must agree. */
export type CopyReason = 'rounded' | 'same-step' | 'tied' | 'seen-tied' | 'frozen';

export interface PlannedCopy {
  readonly reason: CopyReason;
  readonly left: Operand;
  readonly right: Operand;
  readonly expected: Stream;
  readonly found: Stream;
}

export interface Plan {
  readonly unit: Unit | null;
  readonly sweep: Sweep;
  readonly laws: readonly PlannedLaw[];
  /** In the order of `Sweep.copies`. */
  readonly copies: readonly PlannedCopy[];
}

export interface PlanContext {
  readonly pair: Pair;
  readonly options: ScanOptions;
  readonly coverage: CoverageTally;
  /** Base and head are two copies of one step. */
  readonly sameStep: boolean;
  /** Why no pair law can run (`no base`, …); null where they can. */
  readonly pairRefusal: string | null;
}

type Streams = Partial<Record<Operand, Stream>>;

function readable(tensor: Tensor | null): tensor is Tensor {
  return tensor !== null && tensor.placement.kind !== 'absent';
}

/** Operands of a unit; a tensor of another size than the state (flat, factored) stays out. */
function streamsOf(unit: Unit, elements: number): Streams {
  const streams: Streams = {};
  const put = (operand: Operand, tensor: Tensor | null, origin: Stream['origin']) => {
    if (readable(tensor) && tensor.elements === elements) streams[operand] = { tensor, origin };
  };
  const both = (letter: 'w' | 'm' | 'v' | 'x' | 'b', ends: Ends) => {
    put(`${letter}B`, ends.head, 'head');
    put(`${letter}A`, ends.base, 'base');
  };
  both('w', unit.weight);
  both('m', unit.first);
  both('v', unit.second);
  both('x', unit.maximum);
  both('b', unit.momentum);
  put('copyB', unit.copy, 'head');
  put('gB', unit.gradient, 'head');
  return streams;
}

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
  if (absent.startsWith('w') && unit.head.state.parameter === null)
    return 'owner of the state unknown';
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
  const found = new Map<string, Constants>();
  for (const each of contexts) {
    const binding = law.bind(each);
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

interface Laws {
  readonly bound: BoundLaw[];
  readonly planned: PlannedLaw[];
}

function planLaw(
  law: ElementLaw | LineLaw,
  unit: Unit,
  streams: Streams,
  into: Laws,
  context: PlanContext,
): void {
  const stronger = law.scope === 'element' ? law.fallbackFor : undefined;
  if (stronger !== undefined && into.planned.some((planned) => planned.law.id === stronger)) return;
  if (!concerns(law, unit, context)) return;
  for (const { tensor, letter } of targets(law, unit)) {
    const lines =
      law.scope === 'line' && tensor.dtype !== 'f32' ? 'only float32 is judged in lines' : null;
    const pair = isPairLaw(law) ? context.pairRefusal : null;
    const why = pair ?? lines ?? missing(needed(law, letter, unit), unit, streams);
    const constants = why ?? bindAll(law, unit, context);
    if (typeof constants === 'string') {
      context.coverage.unknown(law.id, tensor.elements, constants);
      continue;
    }
    const subject = subjects.indexOf(letter as (typeof subjects)[number]);
    const alternatives = constants.map((each) => {
      const bound = law.scope === 'line' ? { ...each, subject } : each;
      return into.bound.push({ law: law.id, constants: bound }) - 1;
    });
    into.planned.push({ law, subject: tensor, alternatives });
  }
}

function planCopies(streams: Streams, context: PlanContext): PlannedCopy[] {
  const copies: PlannedCopy[] = [];
  const { wB, copyB } = streams;
  if (wB && copyB && wB.tensor.dtype === 'f32' && /^b?f16$/.test(copyB.tensor.dtype)) {
    copies.push({ reason: 'rounded', left: 'wB', right: 'copyB', expected: wB, found: copyB });
  }
  if (!context.sameStep) return copies;
  for (const letter of ['w', 'm', 'v', 'x', 'b'] as const) {
    const expected = streams[`${letter}A`];
    const found = streams[`${letter}B`];
    if (!expected || !found || expected.tensor.dtype !== found.tensor.dtype) continue;
    copies.push({ reason: 'same-step', left: `${letter}A`, right: `${letter}B`, expected, found });
  }
  return copies;
}

function sweepOf(
  streams: Streams,
  elements: number,
  parts: { laws: BoundLaw[]; copies: PlannedCopy[]; bases: readonly Operand[]; digest: boolean },
): Sweep {
  const heads = (Object.keys(streams) as Operand[]).filter(
    (name) => streams[name]?.origin === 'head',
  );
  // A base stream that no law or copy reads is not read.
  const used = new Set<Operand>(heads);
  for (const bound of parts.laws)
    for (const operand of sweptLaw(bound.law).operands) used.add(operand);
  for (const copy of parts.copies) used.add(copy.left);
  for (const base of parts.bases) used.add(base);
  const kept = (Object.keys(streams) as Operand[]).filter((name) => used.has(name));
  return {
    elements,
    streams: Object.fromEntries(kept.map((name) => [name, streams[name]])),
    summaries: [...heads, ...parts.bases],
    laws: parts.laws,
    copies: parts.copies.map(({ reason, left, right }) => ({
      relation: reason === 'rounded' ? 'rounded' : 'equal',
      left,
      right,
    })),
    sha256: parts.digest ? heads : [],
  };
}

/** Base tensors to summarise as well: what pages, sums and suspicions compare the head with. */
function summarisedBases(streams: Streams, context: PlanContext): Operand[] {
  if (!context.pair.base || context.pairRefusal !== null) return [];
  const bases: readonly Operand[] = ['wA', 'mA', 'vA', 'xA', 'bA'];
  return bases.filter((operand) => streams[operand]);
}

/** How the weight moved, where it can be told. */
function movementOf({ wA, wB }: Streams, context: PlanContext): { movement?: MovementPlan } {
  if (!wA || !wB || !context.pair.base || context.pairRefusal !== null) return {};
  const { shape } = wB.tensor;
  return { movement: { rows: shape.length > 1 ? (shape[0] as number) : 0, inherited: 0 } };
}

/** Plans of one unit: tensors of another size than the state are summarised by themselves. */
export function planUnit(unit: Unit, context: PlanContext): Plan[] {
  const main = unit.second.head ?? unit.first.head ?? unit.momentum.head ?? unit.weight.head;
  const elements = main ? main.elements : 0;
  const streams = main ? streamsOf(unit, elements) : {};
  const into: Laws = { bound: [], planned: [] };
  for (const law of laws) if (law.scope !== 'record') planLaw(law, unit, streams, into, context);
  const copies = planCopies(streams, context);
  const digest = context.options.digest === true;
  const plans: Plan[] = [];
  if (Object.keys(streams).length > 0) {
    const bases = summarisedBases(streams, context);
    const sweep = sweepOf(streams, elements, { laws: into.bound, copies, bases, digest });
    const moved = { ...sweep, ...movementOf(streams, context) };
    plans.push({ unit, sweep: moved, laws: into.planned, copies });
  }
  for (const tensor of tensorsOf(unit)) {
    const placed = Object.values(streams).some((stream) => stream?.tensor.name === tensor.name);
    if (!placed) plans.push(...planSingle({ head: tensor, base: null }, null, context));
  }
  return plans;
}

/** Laws about a tensor in no unit. */
function singleLaws(tensor: Tensor): { bound: BoundLaw[]; planned: PlannedLaw[] } {
  if (tensor.role !== 'buffer' || tensor.dtype !== 'f32' || !isRunningVariance(tensor.name)) {
    return { bound: [], planned: [] };
  }
  const law = runningVariance;
  return {
    bound: [{ law: law.id, constants: {} }],
    planned: [{ law, subject: tensor, alternatives: [0] }],
  };
}

/** A tensor in no unit: summarised at both ends, and compared where it must equal its base. */
export function planSingle(
  { head, base }: Ends,
  reason: 'same-step' | 'frozen' | null,
  context: PlanContext,
): Plan[] {
  if (!readable(head) || head.aliasOf !== null) return [];
  const found: Stream = { tensor: head, origin: 'head' };
  const before = context.pairRefusal === null && readable(base) ? base : null;
  const streams: Streams = {
    sB: found,
    ...(before ? { sA: { tensor: before, origin: 'base' } } : {}),
  };
  const plain = { ...emptySweep, elements: head.elements, streams };
  const plan: Plan =
    reason !== null && readable(base)
      ? planComparison(reason, { tensor: base, origin: 'base' }, found)
      : { unit: null, sweep: plain, laws: [], copies: [] };
  const sha256: Operand[] = context.options.digest === true ? ['sB'] : [];
  const summaries: Operand[] = before ? ['sB', 'sA'] : ['sB'];
  const { bound, planned } = singleLaws(head);
  return [{ ...plan, laws: planned, sweep: { ...plan.sweep, laws: bound, summaries, sha256 } }];
}

const emptySweep: Sweep = {
  elements: 0,
  streams: {},
  summaries: [],
  laws: [],
  copies: [],
  sha256: [],
};

/** Two tensors compared bit for bit, and nothing else. */
export function planComparison(reason: CopyReason, expected: Stream, found: Stream): Plan {
  return {
    unit: null,
    sweep: {
      ...emptySweep,
      elements: found.tensor.elements,
      streams: { sA: expected, sB: found },
      copies: [{ relation: 'equal', left: 'sA', right: 'sB' }],
    },
    laws: [],
    copies: [{ reason, left: 'sA', right: 'sB', expected, found }],
  };
}
