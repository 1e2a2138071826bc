/**
 * Updates are compared only over like distances: a checkpoint one step after another has moved
 * less.
 */
import { pushed, type RunMemory, stridesKept } from './run-memory.ts';
import { medianOf } from './sample-statistics.ts';
import type { Validation } from './validation.ts';

/** How much longer or shorter than usual a distance may be. */
const mostFactor = 4;

/**
 * So many unlike distances in a row are the new usual: somebody saves at another interval, or
 * training was rolled back. Without this the reference would stay behind for ever, further off at
 * each checkpoint.
 */
const unlikeForRestart = 4;

/** How far the head is from its base, and what that means for updates. */
export interface Distance {
  /** Steps since the base; null where unknown. */
  readonly steps: number | null;
  /** Updates may be judged against the run's history. */
  readonly comparable: boolean;
  /** The history of updates begins anew after this validation. */
  readonly restart: boolean;
  readonly strides: readonly number[];
  readonly unlike: number;
}

/** Whether updates may be judged, and what the run's usual distance is from now on. */
export function measureDistance(memory: RunMemory, { step, baseStep }: Validation): Distance {
  const base = baseStep ?? memory.step;
  if (base === null) {
    return { steps: null, comparable: step !== null, restart: false, strides: [], unlike: 0 };
  }
  const steps = step === null ? null : step - base;
  const usual = memory.strides.length > 0 ? medianOf(memory.strides) : steps;
  const comparable =
    steps !== null &&
    usual !== null &&
    steps > 0 &&
    steps >= usual / mostFactor &&
    steps <= usual * mostFactor;
  if (comparable) {
    const strides = pushed(memory.strides, steps, stridesKept);
    return { steps, comparable, restart: false, strides, unlike: 0 };
  }
  const unlike = memory.unlike + 1;
  const restart = step !== null && unlike >= unlikeForRestart;
  return {
    steps,
    comparable,
    restart,
    strides: restart ? [] : memory.strides,
    unlike: restart ? 0 : unlike,
  };
}
