/** What a trainer wrote about its steps: learning rates, gradient norms, losses. Missing is never filled in. */

/** About the update that led to a step; null where the log does not say. NaN and infinities are kept. */
export interface LogLine {
  /** The learning rate, of the first group where groups differ. */
  readonly lr: number | null;
  /** One rate a parameter group. */
  readonly lrs: readonly number[] | null;
  /** Euclidean norm of all gradients, before clipping and after. */
  readonly gradNorm: number | null;
  readonly gradNormClipped: number | null;
  readonly loss: number | null;
}

export interface TrainingLog {
  /** Files that it was read from. */
  readonly sources: readonly string[];
  /**
   * The rate at step n is the one that the update from n − 1 to n used. False: it may be the next
   * update's, as transformers wrote it until 2025.
   */
  readonly lrIsOfStep: boolean;
  /**
   * Only where a metrics logger numbered the lines: the rate at line n may be the one of update n plus
   * any of these, rounded to float32. It counts where the rates in both checkpoints confirm it.
   */
  readonly updateOffsets?: readonly number[];
  /** Steps that have a line. */
  readonly size: number;
  /** The last step that has a line; null for an empty log. */
  readonly lastStep: number | null;
  line(step: number): LogLine | null;
}

/** A logger that counts from 0, before or behind the scheduler's step. */
export const loggerOffsets: readonly number[] = [1, 2];

/** A loop that may count from 0 or from 1. */
export const anyOffset: readonly number[] = [0, 1, 2];

/** A log of these lines. */
export function trainingLog(
  lines: ReadonlyMap<number, LogLine>,
  about: Pick<TrainingLog, 'sources' | 'lrIsOfStep' | 'updateOffsets'>,
): TrainingLog {
  let last: number | null = null;
  for (const step of lines.keys()) if (last === null || step > last) last = step;
  return { ...about, size: lines.size, lastStep: last, line: (step) => lines.get(step) ?? null };
}

/** Fields of `first`, and of `second` where `first` says nothing. */
export function joinLines(first: LogLine, second: LogLine | null): LogLine {
  if (!second) return first;
  return {
    lr: first.lr ?? second.lr,
    lrs: first.lrs ?? second.lrs,
    gradNorm: first.gradNorm ?? second.gradNorm,
    gradNormClipped: first.gradNormClipped ?? second.gradNormClipped,
    loss: first.loss ?? second.loss,
  };
}

export interface Window {
  /** Steps from the one after this one … */
  readonly after: number;
  /** … up to this one. */
  readonly upTo: number;
  /** Index of the parameter group. */
  readonly group: number;
  /**
   * The group's rate in the checkpoint at `upTo`: the next update's, where a scheduler moves it. A
   * log with just this rate at `upTo` may have been written after the scheduler's step, one off.
   */
  readonly storedRate?: number | null;
  /** The same in the checkpoint at `after`. */
  readonly storedBefore?: number | null;
}

export type Rates = { readonly low: number; readonly high: number } | { readonly unknown: string };

/**
 * The smallest and the largest learning rate of a window. Known only where every single step of it
 * has a finite rate: between two lines of a sparse log the rate may have been anything.
 */
export function ratesBetween(log: TrainingLog, window: Window): Rates {
  const { after, upTo, group } = window;
  if (!(upTo > after)) return { unknown: 'there is no step between the checkpoints' };
  if (!(upTo - after <= log.size)) return { unknown: 'the log does not have every step' };
  if (log.updateOffsets) return confirmedRates(log, window, log.updateOffsets);
  // Where lines may hold the next update's rate, the line before the window belongs to it.
  const mayBeNext = rateOf(log.line(upTo), group) === window.storedRate;
  const isFirst = log.lrIsOfStep && !(mayBeNext && log.line(after));
  return hullOf(log, { first: isFirst ? after + 1 : after, last: upTo, group });
}

function hullOf(log: TrainingLog, of: { first: number; last: number; group: number }): Rates {
  let low = Infinity;
  let high = -Infinity;
  for (let step = of.first; step <= of.last; step++) {
    const rate = rateOf(log.line(step), of.group);
    if (typeof rate === 'string') return { unknown: `${rate} at step ${step}` };
    low = Math.min(low, rate);
    high = Math.max(high, rate);
  }
  return { low, high };
}

/** Relative error of a float32, twice, and the smallest one: rates below it are written as 0. */
const loggerError = 2 ** -23;
const loggerSmallest = 2 ** -149;

function isWrittenAs(rate: number, written: number): boolean {
  return Math.abs(written - rate) <= Math.abs(rate) * loggerError + loggerSmallest;
}

/**
 * Rates of a log whose numbering is not known: every offset that the rates in both checkpoints do not
 * refute may be the one, and these two rates belong to the hull too. A log that counts micro-batches
 * or another optimizer's steps is refuted as soon as its rates move.
 */
function confirmedRates(log: TrainingLog, window: Window, offsets: readonly number[]): Rates {
  const { after, upTo, group, storedBefore, storedRate } = window;
  if (typeof storedBefore !== 'number' || typeof storedRate !== 'number') {
    return { unknown: 'no stored rate confirms how the log counts its steps' };
  }
  const fits = offsets.filter((offset) => {
    return [[after - offset, storedBefore] as const, [upTo - offset, storedRate] as const].every(
      ([line, stored]) => {
        // A checkpoint keeps the rate of its own update, or the next one's behind the scheduler's step.
        const near = [rateOf(log.line(line), group), rateOf(log.line(line + 1), group)];
        return near.some((rate) => typeof rate === 'string' || isWrittenAs(stored, rate));
      },
    );
  });
  if (fits.length === 0) {
    return { unknown: 'the rates of the log are not those of the checkpoints at these steps' };
  }
  const first = after + 1 - Math.max(...fits);
  const found = hullOf(log, { first, last: upTo - Math.min(...fits), group });
  if ('unknown' in found) return found;
  const low = Math.min(found.low, storedBefore, storedRate);
  const high = Math.max(found.high, storedBefore, storedRate);
  return {
    low: low - Math.abs(low) * loggerError - loggerSmallest,
    high: high + Math.abs(high) * loggerError + loggerSmallest,
  };
}

/** The group's rate, or why there is none. */
function rateOf(line: LogLine | null, group: number): number | string {
  if (!line) return 'the log has no line';
  const { lr, lrs } = line;
  const own = lrs?.[group];
  const one = lrs && lrs.length > 0 ? (lrs.every((rate) => rate === lrs[0]) ? lrs[0] : null) : lr;
  const rate = own ?? one ?? null;
  if (rate === null) {
    return lrs ? `the log has no rate of group ${group}` : 'the log has no learning rate';
  }
  return Number.isFinite(rate) ? rate : 'the learning rate is not finite';
}

/** Every line of the steps after `after` up to `upTo`; a sentence where one is missing. */
export function windowLines(
  log: TrainingLog,
  window: { readonly after: number | null; readonly upTo: number | null },
): readonly LogLine[] | string {
  const { after, upTo } = window;
  if (after === null || upTo === null) return 'the trainer’s steps are unknown';
  // A norm of another step would contradict an optimizer that is right.
  if (log.updateOffsets) return 'nothing confirms how the log counts its steps';
  if (!(upTo > after)) return 'there is no step between the checkpoints';
  if (!(upTo - after <= log.size)) return 'the log does not have every step';
  const lines: LogLine[] = [];
  for (let step = after + 1; step <= upTo; step++) {
    const line = log.line(step);
    if (!line) return `the log has no line at step ${step}`;
    lines.push(line);
  }
  return lines;
}
