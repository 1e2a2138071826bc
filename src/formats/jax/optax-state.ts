/**
 * The state of optax's transformations, told by their paths: `opt_state.0.mu.dense.kernel`. Which
 * optimizer it is no file says: many keep `mu` and `nu`.
 */
import type {
  HyperValue,
  Optimizer,
  OptimizerGroup,
  ParameterState,
} from '../../checkpoint/optimizer.ts';
import type { Role } from '../../checkpoint/tensor.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { OwnerIndex } from './owner-index.ts';
import { leafOf, optimizerDepth } from './tree-roles.ts';

/** Fields that hold one array for each parameter; rows and columns have a shape of their own. */
const fields: ReadonlyMap<string, { readonly role: Role; readonly sameShape: boolean }> = new Map([
  ['mu', { role: 'first-moment', sameShape: true }],
  ['nu', { role: 'second-moment', sameShape: true }],
  ['nu_max', { role: 'max-second-moment', sameShape: true }],
  ['sum_of_squares', { role: 'second-moment', sameShape: true }],
  ['trace', { role: 'momentum', sameShape: true }],
  ['acc_grads', { role: 'gradient', sameShape: true }],
  // Of updates, not of weights.
  ['ema', { role: 'other', sameShape: true }],
  ['v_row', { role: 'second-moment', sameShape: false }],
  ['v_col', { role: 'second-moment', sameShape: false }],
]);

/** Fields that a transformation keeps beside its moments, for its own sake. */
const besides = new Set(['acc_grads', 'ema']);

const counters = new Set(['count', 'gradient_step']);

/** Transformations inside transformations; and how far out a counter is looked for. */
const nestingMost = 12;

/** Values by the tensor's name, of tensors with one element. */
export type Scalars = ReadonlyMap<string, number>;

interface Member {
  readonly tensor: TensorDraft;
  readonly field: string;
  /** Path of the transformation, with its dot: `opt_state.0.`. */
  readonly prefix: string;
  /** Path below the field, as the tree of parameters has it. */
  readonly rest: string;
  readonly owner: TensorDraft | null;
}

/** Tensors whose values tell how far, and how, an optimizer went. */
export function isOptimizerScalar({ name, elements }: TensorDraft): boolean {
  const parts = name.split('.');
  if (elements !== 1 || optimizerDepth(parts) === 0) return false;
  return counters.has(leafOf(parts)) || parts.at(-2) === 'hyperparams';
}

function memberOf(tensor: TensorDraft, owners: OwnerIndex): Member | null {
  const parts = tensor.name.split('.');
  const root = optimizerDepth(parts);
  if (root === 0) return null;
  let first: Member | null = null;
  const end = Math.min(parts.length - 1, root + nestingMost);
  for (let at = root; at < end; at += 1) {
    const field = parts[at] as string;
    const known = fields.get(field);
    if (!known) continue;
    const rest = parts.slice(at + 1).join('.');
    const owner = owners.find(rest, known.sameShape ? tensor.shape : null);
    const prefix = parts
      .slice(0, at)
      .map((part) => `${part}.`)
      .join('');
    const member = { tensor, field, prefix, rest, owner };
    if (owner) return member;
    first ??= member;
  }
  return first;
}

function mark({ tensor, field, owner }: Member): void {
  tensor.role = fields.get(field)?.role ?? 'other';
  tensor.parameter = owner?.name ?? null;
  tensor.mapping = owner ? 'fqn' : null;
  // What an optimizer moves is a parameter, whatever its tree is called.
  if (owner?.role === 'other') owner.role = 'parameter';
}

/** Prefixes of what a path lies in, the nearest first: `a.b.` gives itself, `a.`, and the root. */
function enclosing(prefix: string): string[] {
  const found = [prefix];
  for (let at = prefix.length - 2; at >= 0 && found.length <= nestingMost; at -= 1) {
    if (prefix[at] === '.') found.push(prefix.slice(0, at + 1));
  }
  return [...found, ''];
}

type Hyper = Readonly<Record<string, HyperValue>>;

const hyperName = /^(.*?\.?)hyperparams\.([^.]+)$/s;

/** What `inject_hyperparams` stores around transformations, by its path: values of the last update. */
function hypersOf(scalars: Scalars): Map<string, Hyper> {
  const found = new Map<string, Map<string, number>>();
  for (const [name, value] of scalars) {
    const match = hyperName.exec(name);
    if (!match) continue;
    const [, outer = '', key = ''] = match;
    const own = found.get(outer) ?? new Map<string, number>();
    found.set(outer, own.set(key === 'learning_rate' ? 'lr' : key, value));
  }
  const hypers = new Map<string, Hyper>();
  for (const [outer, values] of found) {
    const [b1, b2] = [values.get('b1'), values.get('b2')];
    const hyper: Record<string, HyperValue> = Object.create(null);
    for (const [key, value] of values) hyper[key] = value;
    if (b1 !== undefined && b2 !== undefined) hyper.betas = [b1, b2];
    hypers.set(outer, hyper);
  }
  return hypers;
}

interface Counter {
  readonly step: number | null;
  readonly dtype: string | null;
}

/** A transformation's own count, or that of the accumulator around it, which lets it step. */
function counterOf(
  prefix: string,
  scalars: Scalars,
  byName: ReadonlyMap<string, TensorDraft>,
): Counter {
  const own = [`${prefix}count`, ...enclosing(prefix).map((outer) => `${outer}gradient_step`)];
  const names = own.flatMap((each) => [each, `${each}.value`]);
  const name = names.find((each) => scalars.has(each));
  if (name === undefined) return { step: null, dtype: null };
  return { step: scalars.get(name) ?? null, dtype: byName.get(name)?.dtype ?? null };
}

interface Transformation {
  readonly prefix: string;
  readonly byRest: Map<string, Member[]>;
}

function stateOf(
  members: readonly Member[],
  at: { prefix: string; rest: string; counter: Counter; group: number | null },
): ParameterState {
  const owner = members.find((member) => member.owner)?.owner ?? null;
  const path = at.prefix + at.rest;
  const shapes = members.map(({ tensor }) => tensor.shape);
  const [shape] = shapes;
  const { step, dtype } = at.counter;
  return {
    key: owner?.name ?? path,
    path,
    parameter: owner?.name ?? null,
    group: at.group,
    step,
    // Every leaf of a transformation takes every one of its updates.
    stepScope: step === null ? null : 'own',
    stepDtype: dtype,
    tensors: Object.fromEntries(members.map(({ field, tensor }) => [field, tensor.name])),
    shape: shape && shapes.every((each) => sameShape(each, shape)) ? shape : null,
    master: null,
  };
}

interface Context {
  readonly scalars: Scalars;
  readonly hypers: ReadonlyMap<string, Hyper>;
  readonly byName: ReadonlyMap<string, TensorDraft>;
  /** What other transformations keep for a parameter, by its path. */
  readonly beside: ReadonlyMap<string, readonly Member[]>;
}

function optimizerOf({ prefix, byRest }: Transformation, file: string, from: Context): Optimizer {
  const outer = enclosing(prefix).find((each) => from.hypers.has(each));
  const hyper = outer === undefined ? undefined : from.hypers.get(outer);
  const counter = counterOf(prefix, from.scalars, from.byName);
  const group = hyper ? 0 : null;
  const parameters = [...byRest].map(([rest, members]) => {
    const all = [...members, ...(from.beside.get(rest) ?? [])];
    return stateOf(all, { prefix, rest, counter, group });
  });
  const keys = parameters.map(({ key }) => key);
  const groups: OptimizerGroup[] = hyper ? [{ hyper, keys }] : [];
  // Its maximum is of corrected moments: torch's AMSGrad, which laws know by that name, is another.
  const isMaximum = [...byRest.values()].some((members) => {
    return members.some(({ field }) => field === 'nu_max');
  });
  return {
    kind: isMaximum ? 'optax-amsgrad' : null,
    kindFrom: isMaximum ? 'state key nu_max of optax’s scale_by_amsgrad' : null,
    prefix,
    file,
    groups,
    parameters,
  };
}

/** Marks the tensors of all transformations, and says what each holds for each parameter. */
export function readOptaxState(
  tensors: readonly TensorDraft[],
  from: { owners: OwnerIndex; scalars: Scalars; file: string },
): readonly Optimizer[] {
  const byPrefix = new Map<string, Transformation>();
  const beside = new Map<string, Member[]>();
  for (const tensor of tensors) {
    const member = memberOf(tensor, from.owners);
    if (!member) continue;
    mark(member);
    const { prefix, rest, field } = member;
    const own = byPrefix.get(prefix) ?? { prefix, byRest: new Map<string, Member[]>() };
    const into = besides.has(field) ? beside : own.byRest;
    if (into === own.byRest) byPrefix.set(prefix, own);
    into.set(rest, [...(into.get(rest) ?? []), member].slice(0, fields.size));
  }
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const { scalars, file } = from;
  const context = { scalars, hypers: hypersOf(scalars), byName, beside };
  return [...byPrefix.values()].map((each) => optimizerOf(each, file, context));
}

/** Marks the counters of optimizers. */
export function markCounters(tensors: readonly TensorDraft[]): void {
  for (const tensor of tensors) {
    const parts = tensor.name.split('.');
    if (optimizerDepth(parts) === 0 || tensor.elements !== 1) continue;
    if (counters.has(leafOf(parts))) tensor.role = 'step';
  }
}
