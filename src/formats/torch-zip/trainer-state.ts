/**
 * What a file says about the training around its tensors: the step, and whether a scheduler moves
 * the rate.
 */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { ModelTensors } from '../optimizer-state/raw-optimizer.ts';
import { entryOf, isDict, type PickleValue } from '../pickle/values.ts';
import type { Container } from './torch-file.ts';

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

function isScheduler(value: PickleValue): boolean {
  if (!isDict(value)) return false;
  const has = (key: string) => value.entries.has(key);
  if (has('last_epoch')) {
    return has('base_lrs') || has('_last_lr') || has('_step_count') || has('num_bad_epochs');
  }
  // Megatron's own.
  return has('num_steps') && has('max_lr') && (has('lr_warmup_steps') || has('warmup_steps'));
}

/** The state of a learning-rate scheduler lies somewhere in the file. */
export function holdsScheduler(containers: readonly Container[]): boolean {
  return containers.some(({ value }) => isScheduler(value));
}
