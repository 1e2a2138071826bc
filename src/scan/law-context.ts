/** What is known about one parameter's optimizer between base and head: the preconditions of the laws. */
import type { Unit, UnitState } from '../checkpoint/align.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { HyperValue } from '../checkpoint/optimizer.ts';
import type { Format, LawContext } from '../laws/law.ts';
import { coarser, formatOf } from '../laws/rounding.ts';
import { scheduledRates } from '../logs/schedules.ts';
import { ratesBetween } from '../logs/training-log.ts';
import type { DeclaredOptimizer, ScanOptions } from './options.ts';

export interface Pair {
  readonly head: Checkpoint;
  readonly base: Checkpoint | null;
}

type Hull = readonly [number, number];

function numeric(value: HyperValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function hyper(end: UnitState | null, key: string): number | null {
  return end?.group ? numeric(end.group.hyper[key]) : null;
}

function stored(end: UnitState | null, index: 0 | 1): number | null {
  const betas = end?.group?.hyper.betas;
  return Array.isArray(betas) ? numeric(betas[index] as HyperValue) : null;
}

/** The value at head, where the base does not contradict it. */
function constant(unit: Unit, key: string, declared: number | undefined): number | null {
  const head = hyper(unit.head, key) ?? declared ?? null;
  const base = hyper(unit.base, key);
  return base !== null && base !== head ? null : head;
}

interface Betas {
  readonly beta1: Hull | null;
  readonly beta2: Hull | null;
  readonly betasUnknown: string | null;
}

function betasOf(unit: Unit, declared: DeclaredOptimizer): Betas {
  const head = [
    stored(unit.head, 0) ?? declared.beta1,
    stored(unit.head, 1) ?? declared.beta2,
  ] as const;
  if (head[0] === undefined || head[1] === undefined) {
    return { beta1: null, beta2: null, betasUnknown: null };
  }
  const base = [stored(unit.base, 0) ?? head[0], stored(unit.base, 1) ?? head[1]] as const;
  const low = hyper(unit.head, 'base_momentum');
  const high = hyper(unit.head, 'max_momentum');
  const cycles = low !== null && high !== null;
  if (base[1] !== head[1] || (base[0] !== head[0] && !cycles)) {
    const betasUnknown = 'the betas changed between the checkpoints';
    return { beta1: null, beta2: null, betasUnknown };
  }
  const ends = cycles ? [low, high, head[0], base[0]] : [head[0]];
  const beta1: Hull = [Math.min(...ends), Math.max(...ends)];
  return { beta1, beta2: [head[1], head[1]], betasUnknown: null };
}

interface Rates {
  readonly rates: Hull | null;
  readonly ratesUnknown: string | null;
}

function hull(a: number, b: number): Hull {
  return [Math.min(a, b), Math.max(a, b)];
}

/** The log's rates over every trainer step of the window: a superset of the parameter's own steps. */
function loggedRates(unit: Unit, pair: Pair, options: ScanOptions): Rates {
  const { head, base } = pair;
  if (!options.log || !base || head.step === null || base.step === null) {
    return { rates: null, ratesUnknown: null };
  }
  const own = (unit.head.state.step ?? 0) - (unit.base?.state.step ?? 0);
  if (own > head.step - base.step) {
    return { rates: null, ratesUnknown: 'the log counts other steps than the optimizer' };
  }
  const found = ratesBetween(options.log, {
    after: base.step,
    upTo: head.step,
    group: unit.head.groupIndex ?? 0,
    storedRate: hyper(unit.head, 'lr'),
    storedBefore: hyper(unit.base, 'lr'),
  });
  if ('unknown' in found) return { rates: null, ratesUnknown: found.unknown };
  return { rates: [found.low, found.high], ratesUnknown: null };
}

/** The rates of the scheduler whose state both checkpoints hold. */
function recomputedRates(unit: Unit, { head, base }: Pair): Hull | null {
  const index = unit.head.groupIndex;
  if (!base || !unit.head.group || !unit.base?.group || index === null) return null;
  if (unit.base.groupIndex !== index) return null;
  const ends = { index, base: unit.base.group, head: unit.head.group };
  const found = scheduledRates({ base, head }, ends);
  return 'unknown' in found ? null : [found.low, found.high];
}

/** A rate that nothing schedules is the same at every step; a snapshot does not say whether a scheduler ran. */
function isFixed(unit: Unit, pair: Pair): boolean {
  const scheduled = pair.head.hasScheduler || pair.base?.hasScheduler === true;
  const rates = [hyper(unit.base, 'lr'), hyper(unit.head, 'lr')];
  const marked = unit.head.group !== null && 'initial_lr' in unit.head.group.hyper;
  return (
    pair.head.layout !== 'safetensors' &&
    !scheduled &&
    !marked &&
    rates[0] !== null &&
    rates[0] === rates[1]
  );
}

function ratesOf(unit: Unit, pair: Pair, options: ScanOptions): Rates {
  const logged = loggedRates(unit, pair, options);
  if (logged.rates) return logged;
  const scheduled = recomputedRates(unit, pair);
  if (scheduled) return { rates: scheduled, ratesUnknown: null };
  const { lrMax } = options;
  if (lrMax !== undefined) return { rates: [0, lrMax], ratesUnknown: null };
  const base = hyper(unit.base, 'lr');
  const head = hyper(unit.head, 'lr');
  const declared = options.optimizer?.lr;
  // Where no file says a rate, whether it was scheduled is not known either: a limit, and no more.
  if (base === null && head === null && declared !== undefined) {
    return { rates: [0, declared], ratesUnknown: null };
  }
  const k = (unit.head.state.step ?? Number.NaN) - (unit.base?.state.step ?? Number.NaN);
  // The rate of the one step was stored before it (a scheduler steps before the save) or after it.
  if (k === 1 && base !== null && head !== null)
    return { rates: hull(base, head), ratesUnknown: null };
  if (base !== null && head !== null && isFixed(unit, pair)) {
    return { rates: hull(base, head), ratesUnknown: null };
  }
  const ratesUnknown = logged.ratesUnknown ?? 'learning rates between the steps are unknown';
  return { rates: null, ratesUnknown };
}

/** The decoupled decay; 0 where the decay is L2, null where it is unknown. */
function decayOf(unit: Unit, kind: string | null, declared: DeclaredOptimizer): number | null {
  const value = constant(unit, 'weight_decay', declared.weightDecay);
  if (value === 0 || kind === 'adam') return 0;
  // A parameter group of torch says whether its decay is decoupled; RAdam has both kinds.
  if (kind === 'radam' && unit.head.group?.hyper.decoupled_weight_decay === undefined) return null;
  if (unit.head.group?.hyper.decoupled_weight_decay === false) return 0;
  return value;
}

interface Steps {
  readonly stepBase: number | null;
  readonly stepHead: number | null;
  readonly ownSteps: boolean;
}

/** The parameter's own counter; SGD, Lion and Muon keep none, and the trainer's counts for them. */
export function stepsOf(unit: Unit, pair: Pair): Steps {
  const { state, optimizer } = unit.head;
  const counterless = optimizer.parameters.every(({ step }) => step === null);
  if (counterless && /^(sgd|lion|muon)$/.test(optimizer.kind ?? '')) {
    return { stepBase: pair.base?.step ?? null, stepHead: pair.head.step, ownSteps: true };
  }
  const stepBase = unit.base ? (unit.unstepped ? 0 : unit.base.state.step) : null;
  return { stepBase, stepHead: state.step, ownSteps: state.stepScope === 'own' };
}

/** Values that base and head agree on; a value that changed is known for no step in between. */
function agreedHyper(unit: Unit): Record<string, HyperValue> {
  const agreed: Record<string, HyperValue> = {};
  for (const [key, value] of Object.entries(unit.head.group?.hyper ?? {})) {
    const before = unit.base?.group ? unit.base.group.hyper[key] : value;
    if (JSON.stringify(before) === JSON.stringify(value)) agreed[key] = value;
  }
  return agreed;
}

function formats(unit: Unit): { state: Format | null; weight: Format | null } {
  const tensors = [unit.first.head, unit.second.head, unit.maximum.head, unit.momentum.head];
  const found = tensors.filter((tensor) => tensor !== null).map(({ dtype }) => formatOf(dtype));
  const known = found.filter((format) => format !== null);
  const state =
    known.length < found.length
      ? null
      : known.reduce<Format | null>((a, b) => (a ? coarser(a, b) : b), null);
  return { state, weight: unit.weight.head && formatOf(unit.weight.head.dtype) };
}

/**
 * What the rate of a single step may have been: the log's, or the one stored at either end (a scheduler
 * steps before the save, a warm-up by hand sets it before the step). Broken means broken by all of them.
 */
function stepRates(unit: Unit, context: LawContext): number[] {
  if (context.stepBase === null || context.stepHead !== context.stepBase + 1) return [];
  const { rates } = context;
  const logged = rates && rates[0] === rates[1] ? rates[0] : null;
  const candidates = [logged, hyper(unit.base, 'lr'), hyper(unit.head, 'lr')];
  return [...new Set(candidates.filter((rate) => rate !== null))];
}

/** Betas as the file's words round them do not matter here: every law takes its constants' worst ends. */
export function lawContexts(
  unit: Unit,
  pair: Pair,
  options: ScanOptions,
): readonly LawContext[] | string {
  const format = formats(unit);
  const stateless = !format.state && !unit.first.head && !unit.second.head && !unit.momentum.head;
  const state = format.state ?? (stateless ? format.weight : null);
  if (!state) return 'state in a type too coarse to prove anything';
  const declared = options.optimizer ?? {};
  const kind = unit.head.optimizer.kind ?? declared.kind ?? null;
  const caution = unit.head.group?.hyper.caution === true;
  const context: LawContext = {
    kind,
    ...betasOf(unit, declared),
    eps: constant(unit, 'eps', declared.eps),
    weightDecay: decayOf(unit, kind, declared),
    ...(caution
      ? { rates: null, ratesUnknown: 'cautious updates are scaled' }
      : ratesOf(unit, pair, options)),
    rate: null,
    ...stepsOf(unit, pair),
    biasCorrection: unit.head.group?.hyper.bias_correction !== false,
    hyper: agreedHyper(unit),
    shape: unit.weight.head?.shape ?? null,
    stateFormat: state,
    weightFormat: format.weight,
    averaging: null,
  };
  const decay = context.weightDecay;
  const rates = stepRates(unit, context);
  const each = rates.length === 0 ? [context] : rates.map((rate) => ({ ...context, rate }));
  // The file of an old torch does not say which decay it was: broken means broken under both.
  if (kind === 'adam-or-adamw' && decay !== null && decay !== 0)
    return [...each, ...each.map((one) => ({ ...one, weightDecay: 0 }))];
  return each;
}
