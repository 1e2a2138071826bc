/**
 * Learning rates between two checkpoints, recomputed from the scheduler's states in them. Believed
 * only where the recomputed rate is the stored one at both ends.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { HyperValue, OptimizerGroup } from '../checkpoint/optimizer.ts';
import { ownKeys, type PlainState, type Schedule, scheduleOf } from './schedule-kinds.ts';
import type { Rates } from './training-log.ts';

/** The same parameter group in both checkpoints. */
export interface GroupEnds {
  readonly index: number;
  readonly base: OptimizerGroup;
  readonly head: OptimizerGroup;
}

/** Torch goes from rate to rate, so that its rounding errors add up; they stay far below this. */
const relativeError = 1e-12;

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= relativeError * Math.max(Math.abs(a), Math.abs(b));
}

interface End {
  readonly epoch: number;
  readonly rate: number;
  readonly schedule: Schedule;
}

/** The only scheduler of the only optimizer: of two nothing says which one moved a group last. */
function onlyState({ schedulers, optimizers }: Checkpoint): PlainState | null {
  const [only] = schedulers ?? [];
  return schedulers?.length === 1 && optimizers.length === 1 && only ? only.state : null;
}

function itemAt(value: HyperValue | undefined, index: number): number | null {
  const item = Array.isArray(value) ? (value as readonly HyperValue[])[index] : undefined;
  return typeof item === 'number' && Number.isFinite(item) ? item : null;
}

/** A sentence where this end does not fit its own schedule. */
function endOf(state: PlainState, group: OptimizerGroup, index: number): End | string {
  const epoch = state.last_epoch;
  const baseRate = itemAt(state.base_lrs, index);
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 0 || baseRate === null) {
    return 'the scheduler’s state is not complete';
  }
  const schedule = scheduleOf(state, { baseRate, hyper: group.hyper });
  if (!schedule) return 'the scheduler is of no kind that can be recomputed';
  const rate = group.hyper.lr;
  const last = itemAt(state._last_lr, index);
  if (typeof rate !== 'number' || last === null || !isClose(rate, last)) {
    return 'the optimizer’s rate is not its scheduler’s';
  }
  const isReproduced = isClose(schedule.rateAt(epoch), rate);
  return isReproduced ? { epoch, rate, schedule } : 'the schedule does not give the stored rate';
}

/** Everything but how far it got is the same. */
function isSame(base: PlainState, head: PlainState): boolean {
  const keys = ownKeys(base);
  const constants = (state: PlainState) => JSON.stringify(keys.map((key) => state[key]));
  return String(keys) === String(ownKeys(head)) && constants(base) === constants(head);
}

function endsOf(
  pair: { readonly base: Checkpoint; readonly head: Checkpoint },
  group: GroupEnds,
): { base: End; head: End } | string {
  const before = onlyState(pair.base);
  const after = onlyState(pair.head);
  if (!before || !after) return 'there is not exactly one scheduler for one optimizer';
  const base = endOf(before, group.base, group.index);
  if (typeof base === 'string') return base;
  const head = endOf(after, group.head, group.index);
  if (typeof head === 'string') return head;
  // The base's own schedule has to end where the head is: rates of a group may have been changed.
  const goesOn = isSame(before, after) && isClose(base.schedule.rateAt(head.epoch), head.rate);
  if (!goesOn) return 'the scheduler changed between the checkpoints';
  return head.epoch >= base.epoch ? { base, head } : 'the scheduler went backwards';
}

/**
 * The smallest and the largest rate from base to head, both ends included: whether a save comes before
 * or behind the scheduler's step, and however many updates it takes a step for, each update between
 * them used one of these. The cost does not grow with the steps.
 */
export function scheduledRates(
  pair: { readonly base: Checkpoint; readonly head: Checkpoint },
  group: GroupEnds,
): Rates {
  const ends = endsOf(pair, group);
  if (typeof ends === 'string') return { unknown: ends };
  const { base, head } = ends;
  const stored = [base.rate, head.rate];
  const turns = head.schedule.turns(base.epoch, head.epoch);
  const low = Math.min(...stored, ...turns.map((rate) => rate * (1 - relativeError)));
  const high = Math.max(...stored, ...turns.map((rate) => rate * (1 + relativeError)));
  // Where a schedule passes 0 a relative error says nothing.
  return low >= 0 ? { low, high } : { unknown: 'the schedule has rates below 0' };
}

/**
 * The sequence itself, one rate a step of the scheduler: the first is the base's, the last the head's.
 * Null where `scheduledRates` is unknown, or for more than `most` steps.
 */
export function rateSequence(
  pair: { readonly base: Checkpoint; readonly head: Checkpoint },
  group: GroupEnds,
  most = 1_000_000,
): readonly number[] | null {
  const ends = endsOf(pair, group);
  if (typeof ends === 'string') return null;
  const { base, head } = ends;
  const count = head.epoch - base.epoch + 1;
  if (count > most) return null;
  return Array.from({ length: count }, (_, i) => {
    if (i === 0) return base.rate;
    return i === count - 1 ? head.rate : head.schedule.rateAt(base.epoch + i);
  });
}
