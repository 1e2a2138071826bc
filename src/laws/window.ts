/** The number of steps between base and head, for one parameter. */
import type { LawContext } from './law.ts';

export type Steps =
  | { readonly kind: 'steps'; readonly k: number }
  | { readonly kind: 'unknown'; readonly reason: string };

/** k ≥ 1, or the reason why no pair law can be judged. */
export function stepsBetween(context: LawContext): Steps {
  if (context.stepBase === null || context.stepHead === null) {
    return { kind: 'unknown', reason: 'steps unknown' };
  }
  const k = context.stepHead - context.stepBase;
  if (k < 0) return { kind: 'unknown', reason: 'the step went backwards' };
  if (k === 0) return { kind: 'unknown', reason: 'no step between the checkpoints' };
  if (!Number.isInteger(k)) return { kind: 'unknown', reason: 'the step is no whole number' };
  return { kind: 'steps', k };
}

/** Null where exactly one step lies between; else why a replay cannot be made. */
export function oneStep(context: LawContext): string | null {
  const steps = stepsBetween(context);
  if (steps.kind === 'unknown') return steps.reason;
  if (steps.k !== 1) return 'more than one step between the checkpoints';
  return context.ownSteps
    ? null
    : 'one step counter for many parameters, which may have skipped steps';
}
