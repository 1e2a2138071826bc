/**
 * A tensor on the bench: what came with the checkpoint, what is remembered, and what follows from
 * both.
 */
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import { deriveStatistics, type Statistics } from './derived.ts';
import { type ExactState, exactState, hasNonFinite } from './exact-state.ts';
import { movingKept, pushed, type RunMemory, type TensorMemory } from './run-memory.ts';
import type { Group } from './suspicion.ts';
import type { Growth } from './unbacked-growth.ts';
import type { JudgedTensor } from './validation.ts';

/** Tensors under this size are not tested. */
const leastElements = 16;

/** One tensor of a validation. */
export interface Subject {
  readonly name: string;
  readonly unit: string | null;
  readonly group: Group;
  readonly rows: number;
  readonly record: SummaryRecord;
  /** The pair record where it may be judged: of weights, at a comparable distance. */
  readonly pair: PairRecord | null;
  /** Null: new to the memory, or of another type or shape than before. */
  readonly memory: TensorMemory | null;
  readonly statistics: Statistics;
  readonly now: ExactState;
  /** Last trusted state: of the memory, else of the base. */
  readonly before: ExactState | null;
  /** Largest |x| at the base; null without one of this type and size, or with values that are not finite. */
  readonly largestBefore: number | null;
  /** Shares of elements that moved, the present one last. */
  readonly moving: readonly number[];
  readonly varied: boolean | null;
  readonly growth: Growth | null;
  /** Broken by a law, or not finite: it teaches nothing. */
  readonly distrusted: boolean;
}

/** Large enough for the calibrated lines. */
export function isTested({ record }: Subject): boolean {
  return record.elements >= leastElements;
}

/** The memory of a tensor if it is still the same kind of thing. */
function recall(memory: RunMemory, tensor: JudgedTensor): TensorMemory | null {
  const known = memory.tensors.get(tensor.name);
  const same =
    known &&
    known.group === tensor.group &&
    known.dtype === tensor.record.dtype &&
    known.elements === tensor.record.elements &&
    known.rows === tensor.rows;
  return same ? known : null;
}

/** The state of the base, for a tensor that the memory does not know. */
function stateOfBase({ record, before, digestBefore }: JudgedTensor): ExactState | null {
  return isAlike(before, record) ? exactState(before, digestBefore ?? null) : null;
}

function isAlike(before: SummaryRecord | null, now: SummaryRecord): before is SummaryRecord {
  return before !== null && before.dtype === now.dtype && before.elements === now.elements;
}

function largestOf({ record, before }: JudgedTensor): number | null {
  return isAlike(before, record) && !hasNonFinite(before) ? before.max1 : null;
}

/** Settled like statistics: it is written to the memory and read back. */
function share(part: number, whole: number): number {
  return Math.round((part / whole) * 1e6) / 1e6;
}

/** @param comparable updates span a distance like those before */
export function subjectOf(
  tensor: JudgedTensor & { readonly group: Group },
  memory: RunMemory,
  comparable: boolean,
): Subject {
  const { name, unit, group, rows, record } = tensor;
  const known = recall(memory, tensor);
  const moves = group === 'weight' && comparable ? tensor.pair : null;
  const ratioMean = group === 'first' ? (tensor.pair?.ratioMean ?? Number.NaN) : Number.NaN;
  const moving = known?.moving ?? [];
  return {
    name,
    unit,
    group,
    rows,
    record,
    pair: moves,
    memory: known,
    statistics: deriveStatistics(record, moves, ratioMean),
    now: exactState(record, tensor.digest ?? null),
    before: known?.exact ?? stateOfBase(tensor),
    largestBefore: largestOf(tensor),
    moving: moves ? pushed(moving, share(moves.changed, record.elements), movingKept) : moving,
    varied: tensor.varied ?? null,
    growth: tensor.growth ?? null,
    distrusted: tensor.distrusted === true || hasNonFinite(record),
  };
}
