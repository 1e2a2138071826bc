/** Plans one parameter: which tensors stream together, which laws are bound, and what cannot be told. */
import { type Ends, tensorsOf, type Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { MovementPlan, Stream, Sweep } from '../engines/engine.ts';
import type { BoundLaw, Operand } from '../laws/law.ts';
import { sweptLaw } from '../laws/laws.ts';
import {
  noLaws,
  type PlanContext,
  type PlannedLaw,
  planLaws,
  type Streams,
  singleLaws,
} from './plan-laws.ts';

import { type Recalled, recall, withDigests } from './recall.ts';

/** Why two tensors must agree. */
export type CopyReason =
  | 'rounded'
  | 'same-step'
  | 'tied'
  | 'seen-tied'
  | 'frozen'
  | 'constant'
  | 'recomputed';

/** The law that speaks where two tensors disagree. */
export const copyRules = {
  rounded: 'bits-agree',
  'same-step': 'bits-agree',
  tied: 'bits-agree',
  'seen-tied': 'bits-agree',
  frozen: 'bits-agree',
  constant: 'constant-buffers',
  recomputed: 'constant-buffers',
} as const satisfies Readonly<Record<CopyReason, string>>;

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
  /** Records of base tensors that the ledger holds: they are not summarised. */
  readonly recalled?: Recalled;
}

function readable(tensor: Tensor | null): tensor is Tensor {
  return tensor !== null && tensor.placement.kind !== 'absent';
}

/** Operands of a unit; a tensor of another size than the state (flat, factored) stays out. */
function streamsOf(unit: Unit, elements: number): Streams {
  const streams: Streams = {};
  const put = (operand: Operand, tensor: Tensor | null, origin: Stream['origin']) => {
    if (readable(tensor) && tensor.elements === elements) streams[operand] = { tensor, origin };
  };
  const both = (letter: 'w' | 'm' | 'v' | 'x' | 'b' | 'e', ends: Ends) => {
    put(`${letter}B`, ends.head, 'head');
    put(`${letter}A`, ends.base, 'base');
  };
  both('w', unit.weight);
  both('m', unit.first);
  both('v', unit.second);
  both('x', unit.maximum);
  both('b', unit.momentum);
  both('e', unit.average);
  put('copyB', unit.copy, 'head');
  put('gB', unit.gradient, 'head');
  return streams;
}

function planCopies(streams: Streams, context: PlanContext): PlannedCopy[] {
  const copies: PlannedCopy[] = [];
  const { wB, copyB } = streams;
  if (wB && copyB && wB.tensor.dtype === 'f32' && /^b?f16$/.test(copyB.tensor.dtype)) {
    copies.push({ reason: 'rounded', left: 'wB', right: 'copyB', expected: wB, found: copyB });
  }
  if (!context.sameStep) return copies;
  for (const letter of ['w', 'm', 'v', 'x', 'b', 'e'] as const) {
    const expected = streams[`${letter}A`];
    const found = streams[`${letter}B`];
    if (!expected || !found || expected.tensor.dtype !== found.tensor.dtype) continue;
    if (letter === 'e' && !context.sameTrainer) continue;
    copies.push({ reason: 'same-step', left: `${letter}A`, right: `${letter}B`, expected, found });
  }
  return copies;
}

function sweepOf(
  streams: Streams,
  elements: number,
  parts: {
    readonly laws: BoundLaw[];
    readonly copies: PlannedCopy[];
    /** Base tensors to summarise as well. */
    readonly bases: readonly Operand[];
    readonly movement: { movement?: MovementPlan };
    readonly digest: boolean;
  },
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
  if (parts.movement.movement) used.add('wA').add('wB');
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
    ...parts.movement,
  };
}

/** Base tensors to summarise as well: what pages, sums and suspicions compare the head with. */
function summarisedBases(streams: Streams, context: PlanContext): Operand[] {
  if (!context.pair.base || context.pairRefusal !== null) return [];
  const bases: readonly Operand[] = ['wA', 'mA', 'vA', 'xA', 'bA', 'eA'];
  return bases.filter((operand) => streams[operand]);
}

/** How the weight moved, where it can be told. */
function movementOf({ wA, wB }: Streams, context: PlanContext): { movement?: MovementPlan } {
  const { detail = 'history' } = context.options;
  if (detail !== 'history' || !context.pair.base || context.pairRefusal !== null) return {};
  if (!wA || !wB) return {};
  const { shape } = wB.tensor;
  return { movement: { rows: shape.length > 1 ? (shape[0] as number) : 0, inherited: 0 } };
}

/** Plans of one unit: tensors of another size than the state are summarised by themselves. */
export function planUnit(unit: Unit, context: PlanContext): Plan[] {
  const main = unit.second.head ?? unit.first.head ?? unit.momentum.head ?? unit.weight.head;
  const elements = main ? main.elements : 0;
  const streams = main ? streamsOf(unit, elements) : {};
  const into = planLaws(unit, streams, context);
  const copies = planCopies(streams, context);
  const digest = context.options.digest === true;
  const plans: Plan[] = [];
  if (Object.keys(streams).length > 0) {
    const compared = summarisedBases(streams, context);
    const recalled = recall(streams, compared, context.ledger);
    const bases = compared.filter((operand) => !recalled[operand]);
    const movement = movementOf(streams, context);
    const parts = { laws: into.bound, copies, bases, movement, digest };
    const sweep = sweepOf(withDigests(streams, recalled), elements, parts);
    plans.push({ unit, sweep, laws: into.planned, copies, recalled });
  }
  for (const tensor of tensorsOf(unit)) {
    const placed = Object.values(streams).some((stream) => stream?.tensor.name === tensor.name);
    if (!placed) plans.push(...planSingle({ head: tensor, base: null }, null, context));
  }
  return plans;
}

/** A tensor in no unit: summarised at both ends, and compared where it must equal its base. */
export function planSingle(
  { head, base }: Ends,
  reason: 'same-step' | 'frozen' | 'constant' | null,
  context: PlanContext,
): Plan[] {
  if (!readable(head) || head.aliasOf !== null) return [];
  const found: Stream = { tensor: head, origin: 'head' };
  const before = context.pairRefusal === null && readable(base) ? base : null;
  const compared = reason !== null && readable(base);
  const { bound, planned } = compared ? noLaws : singleLaws(head, before, context);
  // A law about weights finds them under the names of weights.
  const letter = planned.some(({ law }) => law.scope === 'line') ? 'w' : 's';
  const [after, earlier] = [`${letter}B`, `${letter}A`] as [Operand, Operand];
  const both: Streams = {
    [after]: found,
    ...(before ? { [earlier]: { tensor: before, origin: 'base' } } : {}),
  };
  const recalled = recall(both, [earlier], context.ledger);
  const isRecalled = recalled[earlier] !== undefined;
  const copied = compared ? planComparison(reason, { tensor: base, origin: 'base' }, found) : null;
  // A base that nothing but its numbers is wanted of need not be read where these are known.
  const isRead = copied !== null || bound.length > 0 || !isRecalled;
  const streams = copied?.sweep.streams ?? (isRead ? both : { [after]: found });
  const sweep: Sweep = {
    ...(copied?.sweep ?? { ...emptySweep, elements: head.elements }),
    streams: withDigests(streams, recalled),
    laws: bound,
    summaries: before && !isRecalled ? [after, earlier] : [after],
    sha256: context.options.digest === true ? [after] : [],
  };
  return [{ unit: null, sweep, laws: planned, copies: copied?.copies ?? [], recalled }];
}

const emptySweep: Sweep = {
  elements: 0,
  streams: {},
  summaries: [],
  laws: [],
  copies: [],
  sha256: [],
};

/** A tensor of the head that is summarised, and judged by nothing. */
export function planSummary(tensor: Tensor, digest: boolean): Plan {
  const streams: Streams = { sB: { tensor, origin: 'head' } };
  const { elements } = tensor;
  const sha256: Operand[] = digest ? ['sB'] : [];
  const sweep = { ...emptySweep, elements, streams, summaries: ['sB' as const], sha256 };
  return { unit: null, sweep, laws: [], copies: [] };
}

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
