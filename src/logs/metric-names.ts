/** One line of a log, whatever its writer calls things. */
import { isJsonObject, type JsonObject, type JsonValue, toDouble } from '../formats/strict-json.ts';
import type { LogLine } from './training-log.ts';

/** Names that trainers use, the most exact first. Counters of samples or of rows are no steps. */
const names = {
  step: [
    'step',
    'global_step',
    'train/global_step',
    'trainer/global_step',
    'iteration',
    'iter',
    'current_steps',
  ],
  lr: [
    'lr',
    'learning_rate',
    'train/learning_rate',
    'train/lr',
    'learning-rate',
    'lr/group0',
    'optim/learning_rate_group0',
    'lr-DecoupledAdamW/group0',
  ],
  gradNorm: [
    'grad_norm',
    'train/grad_norm',
    'grad-norm',
    'grad_norm/total',
    'gradient_norm',
    'optim/total_grad_norm',
    'l2_norm/grad/global',
    'grad_2.0_norm_total',
  ],
  gradNormClipped: ['grad_norm_clipped'],
  loss: [
    'loss',
    'train/loss',
    'train_loss',
    'train_loss_step',
    'lm loss',
    'lm-loss-training/lm loss',
    'loss_metrics/global_avg_loss',
    'loss/train/total',
    'train/CE loss',
  ],
} as const;

/** Rates of groups under names of their own. */
const groupName = /^(?:lr\/group|optim\/learning_rate_group|lr-DecoupledAdamW\/group)([0-9]{1,4})$/;

/**
 * Lightning's monitor names rates after the optimizer's class, groups from 1 on. Behind a dash come
 * other things of that optimizer: its momentum, its decay, a second one of its class.
 */
const monitorName = /^lr-([A-Za-z0-9_]+)(?:\/pg([0-9]{1,4}))?$/;

const known: ReadonlySet<string> = new Set([
  ...names.lr,
  ...names.gradNorm,
  ...names.gradNormClipped,
  ...names.loss,
]);

/** A number under this name says something about its step. */
export function isMetricName(name: string): boolean {
  return known.has(name) || groupName.test(name) || monitorName.test(name);
}

/** A rate that Lightning's LearningRateMonitor wrote. */
export function isMonitorName(name: string): boolean {
  return monitorName.test(name);
}

function numberUnder(line: JsonObject, keys: readonly string[]): number | null {
  for (const key of keys) {
    const value = toDouble(line.get(key));
    if (value !== null) return value;
  }
  return null;
}

/** A whole step from 0 up; null where the line is about no step. */
export function stepOf(line: JsonObject): number | null {
  const step = numberUnder(line, names.step);
  return step !== null && Number.isSafeInteger(step) && step >= 0 ? step : null;
}

/** What the line says about its step. */
export function lineOf(line: JsonObject): LogLine {
  const lrs = ratesIn(line.get('lrs')) ?? groupRates(line) ?? monitorRates(line);
  return {
    lr: numberUnder(line, names.lr) ?? lrs?.[0] ?? null,
    lrs,
    gradNorm: numberUnder(line, names.gradNorm),
    gradNormClipped: numberUnder(line, names.gradNormClipped),
    loss: numberUnder(line, names.loss),
  };
}

/** Null unless every item is a number: a rate must keep its place. */
function ratesIn(value: JsonValue | undefined): readonly number[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const rates = (value as readonly JsonValue[]).map((item) => toDouble(item));
  return rates.every((rate) => rate !== null) ? (rates as number[]) : null;
}

/** Null unless groups 0 to n all have a rate, and n is above 0. */
function groupRates(line: JsonObject): readonly number[] | null {
  const found = new Map<number, number>();
  for (const [key, value] of line) {
    const group = groupName.exec(key)?.[1];
    const rate = isJsonObject(value) ? null : toDouble(value);
    if (group !== undefined && rate !== null) found.set(Number(group), rate);
  }
  const rates = Array.from({ length: found.size }, (_, i) => found.get(i));
  if (rates.length < 2 || rates.includes(undefined)) return null;
  return rates as number[];
}

/** Rates of one optimizer; null where two optimizers have some, or a group has none. */
function monitorRates(line: JsonObject): readonly number[] | null {
  const found = new Map<number, number>();
  const classes = new Set<string>();
  for (const [key, value] of line) {
    // Rates of a second optimizer of the same class: nothing says which one is which here.
    if (/^lr-[A-Za-z0-9_]+-[0-9]/.test(key)) return null;
    const match = monitorName.exec(key);
    const rate = isJsonObject(value) ? null : toDouble(value);
    if (!match || rate === null) continue;
    classes.add(match[1] as string);
    found.set(match[2] === undefined ? 0 : Number(match[2]) - 1, rate);
  }
  const rates = Array.from({ length: found.size }, (_, i) => found.get(i));
  if (classes.size !== 1 || rates.includes(undefined)) return null;
  return rates as number[];
}
