/** What a file says about the training around its tensors: how many steps it took. */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { ModelTensors } from '../optimizer-state/raw-optimizer.ts';
import { entryOf, type PickleValue } from '../pickle/values.ts';

/** Keys at the top of a checkpoint that count optimizer steps, the most telling first. */
const stepKeys = [
  'global_step',
  'step',
  'iteration',
  'iter_num',
  'num_updates',
  'iter',
  'global_iter',
  'current_step',
  'n_steps',
  'steps',
];

/** The trainer's own count, or null. An epoch is no step. */
export function storedStep(root: PickleValue | undefined): number | null {
  for (const key of stepKeys) {
    const value = entryOf(root, key);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  }
  return null;
}

/** The count on which all counters of all optimizers agree, or null. */
export function agreedStep(optimizers: readonly Optimizer[]): number | null {
  const steps = new Set<number>();
  for (const { parameters } of optimizers) {
    for (const { step } of parameters) if (step !== null) steps.add(step);
  }
  const [step] = steps;
  if (steps.size !== 1 || step === undefined) return null;
  return Number.isSafeInteger(step) && step >= 0 ? step : null;
}

/**
 * Names of the counters of training batches that BatchNorm keeps, where its layers are trained:
 * with a frozen layer the counter stands still. Empty where one of them is not.
 */
export function batchCounters(
  models: readonly ModelTensors[],
  optimizers: readonly Optimizer[],
): string[] {
  const trained = new Set<string>();
  for (const { parameters } of optimizers) {
    for (const { parameter, tensors } of parameters) {
      if (parameter !== null && Object.keys(tensors).length > 0) trained.add(parameter);
    }
  }
  const counters: string[] = [];
  for (const { prefix, tensors } of models) {
    for (const [name, tensor] of tensors) {
      if (!/(^|\.)num_batches_tracked$/.test(name)) continue;
      const weight = `${prefix}${name.replace(/num_batches_tracked$/, 'weight')}`;
      if (!trained.has(weight)) return [];
      counters.push(tensor.name);
    }
  }
  return counters;
}
