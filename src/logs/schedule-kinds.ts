/**
 * Schedules of torch.optim.lr_scheduler in closed form, known by the keys of their states. A state
 * with a key more or less is another scheduler's, and of that nothing is known.
 */
import type { HyperValue } from '../checkpoint/optimizer.ts';

export type PlainState = Readonly<Record<string, HyperValue>>;

export interface Schedule {
  readonly kind: string;
  /** The rate after `epoch` steps of the scheduler, from 0 up. */
  rateAt(epoch: number): number;
  /** Values that the rate may turn at between two epochs, where it does not only rise or fall. */
  turns(first: number, last: number): readonly number[];
}

/** What belongs to one parameter group. */
export interface ScheduledGroup {
  readonly baseRate: number;
  readonly hyper: PlainState;
}

type Build = (state: PlainState, group: ScheduledGroup) => Omit<Schedule, 'kind'> | null;

/** Keys of every scheduler of torch, of one version or another. */
const ordinary: ReadonlySet<string> = new Set([
  'base_lrs',
  'last_epoch',
  'verbose',
  '_step_count',
  '_last_lr',
  '_is_initial',
  '_get_lr_called_within_step',
]);

function numbersOf(state: PlainState, ...keys: readonly string[]): number[] | null {
  const values = keys.map((key) => state[key]);
  return values.every((value) => typeof value === 'number' && Number.isFinite(value))
    ? (values as number[])
    : null;
}

const none = () => [];

const step: Build = (state, { baseRate }) => {
  const [size = 0, gamma = 0] = numbersOf(state, 'step_size', 'gamma') ?? [];
  if (!(size > 0 && gamma >= 0)) return null;
  return { rateAt: (epoch) => baseRate * gamma ** Math.floor(epoch / size), turns: none };
};

const milestonesMost = 1000;

/** Milestones are a Counter: one may be given more than once. */
const multiStep: Build = (state, { baseRate }) => {
  const [gamma = -1] = numbersOf(state, 'gamma') ?? [];
  const { milestones } = state;
  if (!(gamma >= 0) || !Array.isArray(milestones)) return null;
  if (milestones.length > milestonesMost) return null;
  const pairs = milestones as readonly HyperValue[];
  const isPair = (pair: HyperValue): pair is readonly [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((n) => Number.isSafeInteger(n));
  const counted = pairs.filter(isPair);
  if (counted.length !== pairs.length) return null;
  const passed = (epoch: number) =>
    counted.reduce((sum, [at, times]) => (at <= epoch && at >= 0 ? sum + times : sum), 0);
  return { rateAt: (epoch) => baseRate * gamma ** passed(epoch), turns: none };
};

const exponential: Build = (state, { baseRate }) => {
  const [gamma = -1] = numbersOf(state, 'gamma') ?? [];
  return gamma >= 0 ? { rateAt: (epoch) => baseRate * gamma ** epoch, turns: none } : null;
};

const constant: Build = (state, { baseRate }) => {
  const [factor, total] = numbersOf(state, 'factor', 'total_iters') ?? [];
  if (factor === undefined || total === undefined) return null;
  return { rateAt: (epoch) => (epoch < total ? baseRate * factor : baseRate), turns: none };
};

const linear: Build = (state, { baseRate }) => {
  const [from, to, total = 0] = numbersOf(state, 'start_factor', 'end_factor', 'total_iters') ?? [];
  if (from === undefined || to === undefined || !(total > 0)) return null;
  const factor = (epoch: number) => from + ((to - from) * Math.min(total, epoch)) / total;
  return { rateAt: (epoch) => baseRate * factor(epoch), turns: none };
};

const polynomial: Build = (state, { baseRate }) => {
  const [total = 0, power = -1] = numbersOf(state, 'total_iters', 'power') ?? [];
  if (!(total > 0 && power >= 0)) return null;
  const rateAt = (epoch: number) => baseRate * (1 - Math.min(total, epoch) / total) ** power;
  return { rateAt, turns: none };
};

/** Past its end the cosine goes on, up again. */
const cosine: Build = (state, { baseRate }) => {
  const [half = 0, least] = numbersOf(state, 'T_max', 'eta_min') ?? [];
  if (!(half > 0) || least === undefined) return null;
  const rateAt = (epoch: number) =>
    least + ((baseRate - least) * (1 + Math.cos((Math.PI * epoch) / half))) / 2;
  const turns = (first: number, last: number) => {
    const inside = Math.floor(last / half) - Math.ceil(first / half) + 1;
    if (inside <= 0) return [];
    const low = Math.ceil(first / half) % 2 === 1;
    return inside === 1 ? [low ? least : baseRate] : [least, baseRate];
  };
  return { rateAt, turns };
};

interface Phase {
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Phases name the rates that the optimizer's group keeps. */
function phasesOf(state: PlainState, hyper: PlainState): readonly Phase[] | null {
  const stored = state._schedule_phases;
  if (!Array.isArray(stored) || stored.length === 0 || stored.length > phasesMost) return null;
  const phases = (stored as readonly HyperValue[]).map((phase): Phase | null => {
    if (!Array.isArray(phase)) return null;
    const fields = new Map<HyperValue, HyperValue>(phase as readonly [HyperValue, HyperValue][]);
    const rate = (key: string) => hyper[String(fields.get(key))];
    const values = [fields.get('end_step'), rate('start_lr'), rate('end_lr')];
    if (!values.every((value) => typeof value === 'number' && Number.isFinite(value))) return null;
    const [end, from, to] = values as [number, number, number];
    return { end, from, to };
  });
  return phases.every((phase) => phase !== null) ? phases : null;
}

const phasesMost = 8;

const oneCycle: Build = (state, { hyper }) => {
  const phases = phasesOf(state, hyper);
  const shape = state._anneal_func_type;
  if (!phases || (shape !== 'cos' && shape !== 'linear')) return null;
  const anneal = ({ from, to }: Phase, part: number) =>
    shape === 'cos'
      ? to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1)
      : (to - from) * part + from;
  const rateAt = (epoch: number) => {
    const found = phases.findIndex(({ end }) => epoch <= end);
    const at = found < 0 ? phases.length - 1 : found;
    const start = at === 0 ? 0 : (phases[at - 1] as Phase).end;
    const phase = phases[at] as Phase;
    return anneal(phase, (epoch - start) / (phase.end - start));
  };
  const turns = (first: number, last: number) =>
    phases.filter(({ end }) => end >= first && end <= last).map(({ to }) => to);
  return { rateAt, turns };
};

const kinds: readonly { kind: string; keys: readonly string[]; build: Build }[] = [
  { kind: 'StepLR', keys: ['step_size', 'gamma'], build: step },
  { kind: 'MultiStepLR', keys: ['milestones', 'gamma'], build: multiStep },
  { kind: 'ExponentialLR', keys: ['gamma'], build: exponential },
  { kind: 'ConstantLR', keys: ['factor', 'total_iters'], build: constant },
  { kind: 'LinearLR', keys: ['start_factor', 'end_factor', 'total_iters'], build: linear },
  { kind: 'PolynomialLR', keys: ['total_iters', 'power'], build: polynomial },
  { kind: 'CosineAnnealingLR', keys: ['T_max', 'eta_min'], build: cosine },
  {
    kind: 'OneCycleLR',
    keys: ['total_steps', '_schedule_phases', '_anneal_func_type', 'cycle_momentum'],
    build: oneCycle,
  },
];

/** Written only where the cycle moves a momentum. */
const optional: ReadonlySet<string> = new Set(['use_beta1']);

/** Keys that tell one scheduler from another, in order. */
export function ownKeys(state: PlainState): readonly string[] {
  return Object.keys(state)
    .filter((key) => !ordinary.has(key))
    .sort();
}

/** Lists of any length would cost time in every comparison: only these two keys have one. */
function areScalars(state: PlainState, own: readonly string[]): boolean {
  return own.every((key) => {
    return key === 'milestones' || key === '_schedule_phases' || !Array.isArray(state[key]);
  });
}

/** The group's schedule; null where the keys are no known scheduler's, or a value is missing. */
export function scheduleOf(state: PlainState, group: ScheduledGroup): Schedule | null {
  const own = ownKeys(state);
  const found = kinds.find(({ keys }) => {
    const named = own.filter((key) => keys.includes(key));
    return named.length === keys.length && own.every((k) => keys.includes(k) || optional.has(k));
  });
  const built = areScalars(state, own) ? found?.build(state, group) : null;
  return found && built ? { kind: found.kind, ...built } : null;
}
