/** What the laws about averaged weights share: their slack, and the one share of a whole tensor. */
import type { Averaging, Binding, LawContext } from './law.ts';
import { stepsBetween } from './window.ts';

/** Half an ulp of float32, which is all that is judged. */
const unit = 2 ** -24;

/** Underflow of the few operations of one update. */
export const averageTiny = 2 ** -124;

/**
 * Rounding of one update, relative to |e_A| + |w_B|: cast of the decay, two products, a sum; lerp and
 * e − (e − w)(1 − d) stay inside as well.
 */
export const updateError = 4 * unit;

/** A tensor needs so many elements that tell its share, each to half of it, to have one. */
const sharpLeast = 64;

/** One in so many sharp elements may disagree: those would be the damage. */
const disagreeing = 256;

/** Consecutive values of an average before and after one update, and of the weights after it. */
export interface AverageSample {
  readonly before: ArrayLike<number>;
  readonly after: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Shares in [0, 1] that bring one element from `before` to `after` within rounding; null: none does. */
function sharesOf(before: number, after: number, weight: number): Interval | null {
  const slack = updateError * (Math.abs(before) + Math.abs(weight)) + averageTiny;
  const way = weight - before;
  const moved = after - before;
  if (way === 0) return Math.abs(moved) <= slack ? { low: 0, high: 1 } : null;
  const middle = moved / way;
  const half = slack / Math.abs(way);
  const low = Math.max(0, middle - half);
  const high = Math.min(1, middle + half);
  return low <= high ? { low, high } : null;
}

/** The stretch that most of the intervals share. */
function mostShared(intervals: readonly Interval[]): Interval {
  const lows = intervals.map(({ low }) => low).sort((a, b) => a - b);
  const highs = intervals.map(({ high }) => high).sort((a, b) => a - b);
  let most = 0;
  let best: Interval = { low: 0, high: 1 };
  for (let i = 0, left = 0; i < lows.length; i++) {
    const low = lows[i] as number;
    while ((highs[left] as number) < low) left += 1;
    if (i + 1 - left <= most) continue;
    most = i + 1 - left;
    best = { low, high: highs[left] as number };
  }
  return best;
}

/**
 * The share of the weights that one update took, where a single one explains the tensor: an interval
 * that holds it whenever the average is one of these weights; else a sentence. Damage of a few
 * elements is outvoted; an average that follows something else is not called one.
 */
export function commonShare(samples: readonly AverageSample[]): readonly [number, number] | string {
  const intervals: Interval[] = [];
  let impossible = 0;
  for (const { before, after, weights } of samples) {
    for (let i = 0; i < after.length; i++) {
      const values = [before[i] as number, after[i] as number, weights[i] as number] as const;
      if (!values.every(Number.isFinite)) continue;
      const shares = sharesOf(...values);
      if (shares) intervals.push(shares);
      else impossible += 1;
    }
  }
  const { low, high } = mostShared(intervals);
  // Those that determine the share by themselves: the others agree with anything.
  const sharp = intervals.filter((each) => each.high - each.low <= (low + high) / 4);
  if (sharp.length < sharpLeast) return 'too few elements tell the decay of the average';
  const against = sharp.filter((each) => each.high < low || each.low > high).length + impossible;
  const most = Math.max(1, Math.floor(sharp.length / disagreeing));
  return against > most ? 'no single decay explains the average' : [low, high];
}

/** What both laws need: one step, and float32 at both ends. */
export function averagingOf(context: LawContext): Averaging | Exclude<Binding, { kind: 'bound' }> {
  const refuse = (reason: string) => ({ kind: 'unknown', reason }) as const;
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps;
  if (steps.k !== 1) return refuse('more than one step between the checkpoints');
  if (!context.averaging) return refuse('averages are judged in float32 alone');
  return context.averaging;
}
