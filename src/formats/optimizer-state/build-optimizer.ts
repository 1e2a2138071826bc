/**
 * Turns a state dictionary whose owners are known into the nouns, and says what its tensors are
 * for.
 */
import type { Optimizer, OptimizerGroup, ParameterState } from '../../checkpoint/optimizer.ts';
import type { Owner, Owners } from './map-parameters.ts';
import { proveKind } from './optimizer-kind.ts';
import type { RawGroup, RawOptimizer, RawState } from './raw-optimizer.ts';
import { roleOfState } from './state-roles.ts';
import { agreedShape } from './state-shape.ts';
import type { TensorDraft } from './tensor-draft.ts';

/** Values of tensors with one element, by the tensor's name. */
export type Scalars = ReadonlyMap<string, number>;

interface Context {
  readonly raw: RawOptimizer;
  readonly owners: Owners;
  readonly scalars: Scalars;
  /** Names of counters that several parameters refer to. */
  readonly sharedCounters: ReadonlySet<string>;
  /** Ids whose counter stays 0 whatever the parameter does. */
  readonly idleCounters: ReadonlySet<string>;
}

type Counter = Pick<ParameterState, 'step' | 'stepScope' | 'stepDtype'>;

const noCounter: Counter = { step: null, stepScope: null, stepDtype: null };

function ownCounter(state: RawState, { scalars, sharedCounters }: Context): Counter | null {
  const tensor = state.tensors.get('step');
  if (tensor) {
    const isShared = sharedCounters.has(tensor.aliasOf ?? tensor.name);
    const step = scalars.get(tensor.name) ?? null;
    return { step, stepScope: isShared ? 'shared' : 'own', stepDtype: tensor.dtype };
  }
  const step = state.plain.get('step');
  if (typeof step !== 'number') return null;
  return { step, stepScope: 'own', stepDtype: Number.isInteger(step) ? 'int' : 'float' };
}

function groupCounter(group: RawGroup | undefined): Counter {
  const step = group?.hyper.get('step') ?? group?.hyper.get('k');
  // There is state, so steps were taken: a counter at 0 is one that its optimizer forgets to move.
  if (typeof step !== 'number' || step === 0) return noCounter;
  return { step, stepScope: 'shared', stepDtype: group?.stepDtype ?? 'int' };
}

/** A counter in the state speaks for its parameter; DeepSpeed's groups keep one that stays 0. */
function counterOf(
  state: RawState | undefined,
  group: RawGroup | undefined,
  context: Context,
): Counter {
  if (!state || state.tensors.size + state.plain.size === 0) return noCounter;
  if (context.idleCounters.has(state.id)) return noCounter;
  return ownCounter(state, context) ?? groupCounter(group);
}

/** Lookahead for tensors that torch saved once and several states name. */
function sharedCountersOf(raw: RawOptimizer): Set<string> {
  const shared = new Set<string>();
  for (const { tensors } of raw.states.values()) {
    const alias = tensors.get('step')?.aliasOf;
    if (alias) shared.add(alias);
  }
  return shared;
}

/**
 * DeepSpeed's FusedAdam moves all parameters of a group at once and counts with the last of them
 * alone: beside a counter that moved, the others' 0 says nothing.
 */
function idleCountersOf({ groups, states }: RawOptimizer): Set<string> {
  const idle = new Set<string>();
  for (const { hyper, ids } of groups) {
    if (!hyper.has('bias_correction') || hyper.get('step') !== 0) continue;
    const counters = ids.map((id) => ({ id, step: states.get(id)?.plain.get('step') }));
    if (!counters.some(({ step }) => typeof step === 'number' && step > 0)) continue;
    for (const { id, step } of counters) if (step === 0) idle.add(id);
  }
  return idle;
}

function markTensors(state: RawState, owner: Owner | undefined): void {
  for (const [key, tensor] of state.tensors) {
    const role = roleOfState(key);
    if (role !== 'other') tensor.role = role;
    tensor.parameter = owner?.tensor.name ?? null;
    tensor.mapping = owner?.mapping ?? null;
  }
}

function markMaster(master: TensorDraft | undefined, owner: Owner | undefined): void {
  if (!master) return;
  master.role = 'master';
  master.parameter = owner?.tensor.name ?? null;
  master.mapping = owner?.mapping ?? null;
}

interface Slot {
  readonly id: string;
  /** Null: the state lies in no group. */
  readonly group: number | null;
  readonly master: TensorDraft | undefined;
}

function parameterState(slot: Slot, context: Context): ParameterState {
  const { raw, owners } = context;
  const state = raw.states.get(slot.id);
  const owner = owners.get(slot.id);
  if (state) markTensors(state, owner);
  markMaster(slot.master, owner);
  const path = state?.path ?? `${raw.prefix}state.${slot.id}`;
  const group = slot.group === null ? undefined : raw.groups[slot.group];
  const master = slot.master ?? [...(state?.tensors.values() ?? [])].find(isMaster);
  return {
    key: owner?.tensor.name ?? path,
    path,
    parameter: owner?.tensor.name ?? null,
    ...(owner?.isAssumed ? { ownerAssumed: true as const } : {}),
    group: slot.group,
    ...counterOf(state, group, context),
    tensors: Object.fromEntries([...(state?.tensors ?? [])].map(([key, { name }]) => [key, name])),
    shape: (state && agreedShape(state)) ?? slot.master?.shape ?? null,
    master: master?.name ?? null,
  };
}

function isMaster({ role }: TensorDraft): boolean {
  return role === 'master';
}

function slotsOf(raw: RawOptimizer): Slot[] {
  const slots: Slot[] = [];
  const seen = new Set<string>();
  for (const [group, { ids }] of raw.groups.entries()) {
    for (const [index, id] of ids.entries()) {
      if (seen.has(id)) continue;
      seen.add(id);
      slots.push({ id, group, master: raw.masters?.[group]?.[index] });
    }
  }
  for (const id of raw.states.keys()) {
    if (!seen.has(id)) slots.push({ id, group: null, master: undefined });
  }
  return slots;
}

/** Builds the optimizer and marks its tensors with role, owner and mapping. */
export function buildOptimizer(raw: RawOptimizer, owners: Owners, scalars: Scalars): Optimizer {
  const sharedCounters = sharedCountersOf(raw);
  const idleCounters = idleCountersOf(raw);
  const context: Context = { raw, owners, scalars, sharedCounters, idleCounters };
  const slots = slotsOf(raw);
  const parameters = slots.map((slot) => parameterState(slot, context));
  const keys = new Map(slots.map(({ id }, i) => [id, (parameters[i] as ParameterState).key]));
  const groups: OptimizerGroup[] = raw.groups.map(({ hyper, ids }) => ({
    // fromEntries defines each key as it is, `__proto__` too.
    hyper: Object.fromEntries(hyper),
    keys: ids.map((id) => keys.get(id) as string),
  }));
  const proof = proveKind(raw);
  return {
    kind: proof?.kind ?? null,
    kindFrom: proof?.from ?? null,
    prefix: raw.prefix,
    file: raw.file,
    groups,
    parameters,
  };
}
