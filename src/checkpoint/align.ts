/**
 * How two checkpoints line up. A unit is one parameter with everything that belongs to it in head and
 * base; a single is any other tensor. State is matched by name where both names are known, else by its
 * path, group and shape: never by a guess.
 */
import type { Checkpoint } from './checkpoint.ts';
import type { Optimizer, OptimizerGroup, ParameterState } from './optimizer.ts';
import type { Tensor } from './tensor.ts';

/** The parameter's state at one end of a pair. */
export interface UnitState {
  readonly optimizer: Optimizer;
  readonly group: OptimizerGroup | null;
  readonly groupIndex: number | null;
  readonly state: ParameterState;
}

export interface Unit {
  /** The parameter's name, or its state's path. */
  readonly key: string;
  readonly head: UnitState;
  /** Null: the base does not know this parameter (or there is no base). */
  readonly base: UnitState | null;
  /** The base lists the parameter but has no state for it: it had taken no step (m = v = 0). */
  readonly unstepped: boolean;
  /** Weights: the master where there is one. */
  readonly weight: Ends;
  /** The 16-bit copy of the head's master. */
  readonly copy: Tensor | null;
  readonly first: Ends;
  readonly second: Ends;
  readonly maximum: Ends;
  readonly momentum: Ends;
  /** The average of these weights, where there is exactly one. */
  readonly average: Ends;
  readonly gradient: Tensor | null;
}

/** The same tensor at head and base. */
export interface Ends {
  readonly head: Tensor | null;
  readonly base: Tensor | null;
}

export interface Alignment {
  readonly units: readonly Unit[];
  /** Tensors of the head that are in no unit, with their partner in the base by name and shape. */
  readonly singles: readonly Ends[];
}

/** Stored keys by the part they play; the optimizer's class decides which laws may judge them. */
const stateKeys = {
  first: ['exp_avg', 'mu'],
  second: ['exp_avg_sq', 'square_avg', 'sum', 'exp_inf', 'exp_avg_var', 'nu', 'sum_of_squares'],
  maximum: ['max_exp_avg_sq'],
  momentum: ['momentum_buffer', 'trace'],
} as const;

/** Shape and dtype agree: the tensors can be compared element by element. */
function comparable(a: Tensor, b: Tensor): boolean {
  return (
    a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((n, i) => n === b.shape[i])
  );
}

/** States by a name or a path that, in a file of two optimizers, may be two states'. */
class StatesBy {
  readonly #found = new Map<string, UnitState[]>();

  add(key: string, entry: UnitState): void {
    const found = this.#found.get(key);
    if (found) found.push(entry);
    else this.#found.set(key, [entry]);
  }

  /** The one under `key`; of several the one at `path`, and null where that is not one either. */
  find(key: string, path: string): UnitState | null {
    const found = this.#found.get(key) ?? [];
    const meant = found.length > 1 ? found.filter(({ state }) => state.path === path) : found;
    return meant.length === 1 ? (meant[0] as UnitState) : null;
  }
}

class Side {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #byParameter = new StatesBy();
  readonly #byPath = new StatesBy();

  constructor(checkpoint: Checkpoint) {
    this.tensors = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    for (const optimizer of checkpoint.optimizers) {
      for (const state of optimizer.parameters) {
        const group = state.group === null ? null : (optimizer.groups[state.group] ?? null);
        const entry = { optimizer, group, groupIndex: state.group, state };
        this.#byPath.add(state.path, entry);
        if (state.parameter !== null) this.#byParameter.add(state.parameter, entry);
      }
    }
  }

  match(head: ParameterState): UnitState | null {
    if (head.parameter !== null) {
      const named = this.#byParameter.find(head.parameter, head.path);
      if (named) return named;
    }
    const same = this.#byPath.find(head.path, head.path);
    if (!same || same.groupIndex !== head.group) return null;
    // Both names known and different: the numbering changed, and the path says nothing.
    if (head.parameter !== null && same.state.parameter !== null) return null;
    return same;
  }

  state(entry: UnitState, keys: readonly string[]): Tensor | null {
    for (const key of keys) {
      const name = entry.state.tensors[key];
      if (name !== undefined) return this.tensors.get(name) ?? null;
    }
    return null;
  }

  weight(entry: UnitState): Tensor | null {
    const { master, parameter } = entry.state;
    const name = master ?? parameter;
    return name === null ? null : (this.tensors.get(name) ?? null);
  }
}

function zerosLike(tensor: Tensor | null): Tensor | null {
  return tensor && { ...tensor, placement: { kind: 'zeros' } };
}

function partner(head: Tensor | null, base: Tensor | null): Tensor | null {
  return head && base && comparable(head, base) ? base : null;
}

/** Tensors of the head that repeat the weights under their name, by parameter. */
interface Companions {
  readonly gradient: Tensor | null;
  readonly average: Tensor | null;
}

function unitOf(
  head: UnitState,
  sides: { head: Side; base: Side | null },
  { gradient, average }: Companions,
): Unit {
  const base = sides.base?.match(head.state) ?? null;
  const ends = (keys: readonly string[]): Ends => {
    const tensor = sides.head.state(head, keys);
    const before = base && sides.base ? sides.base.state(base, keys) : null;
    return { head: tensor, base: partner(tensor, before) };
  };
  let first = ends(stateKeys.first);
  let second = ends(stateKeys.second);
  let maximum = ends(stateKeys.maximum);
  const momentum = ends(stateKeys.momentum);
  const unstepped =
    base !== null && Object.keys(base.state.tensors).length === 0 && second.head !== null;
  if (unstepped) {
    first = { head: first.head, base: zerosLike(first.head) };
    second = { head: second.head, base: zerosLike(second.head) };
    maximum = { head: maximum.head, base: zerosLike(maximum.head) };
  }
  const weightHead = sides.head.weight(head);
  const weightBase = base && sides.base ? sides.base.weight(base) : null;
  const averaged = average && (sides.base?.tensors.get(average.name) ?? null);
  const parameter = head.state.parameter;
  const copy =
    head.state.master !== null && parameter !== null ? sides.head.tensors.get(parameter) : null;
  return {
    key: head.state.key,
    head,
    base,
    unstepped,
    weight: { head: weightHead, base: partner(weightHead, weightBase) },
    copy: copy ?? null,
    first,
    second,
    maximum,
    momentum,
    average: { head: average, base: partner(average, averaged) },
    gradient,
  };
}

/** By parameter; null where several would do, for then it is not known which of them. */
function averagesOf(checkpoint: Checkpoint): Map<string, Tensor | null> {
  const found = new Map<string, Tensor | null>();
  for (const tensor of checkpoint.tensors) {
    const { role, parameter } = tensor;
    if (role !== 'average' || parameter === null) continue;
    found.set(parameter, found.has(parameter) ? null : tensor);
  }
  return found;
}

/** Gradients of the last step; what an optimizer keeps, such as sums over several, is none of them. */
function gradientsOf({ optimizers, tensors }: Checkpoint): Map<string, Tensor> {
  const states = optimizers.flatMap(({ parameters }) => parameters);
  const kept = new Set(states.flatMap((state) => Object.values(state.tensors)));
  const gradients = new Map<string, Tensor>();
  for (const tensor of tensors) {
    if (tensor.role !== 'gradient' || tensor.parameter === null || kept.has(tensor.name)) continue;
    gradients.set(tensor.parameter, tensor);
  }
  return gradients;
}

/** Aligns `head` with `base`; without a base every partner is null. */
export function alignCheckpoints(head: Checkpoint, base: Checkpoint | null): Alignment {
  const sides = { head: new Side(head), base: base && new Side(base) };
  const gradients = gradientsOf(head);
  const averages = averagesOf(head);
  const units: Unit[] = [];
  const taken = new Set<string>();
  for (const optimizer of head.optimizers) {
    for (const state of optimizer.parameters) {
      const group = state.group === null ? null : (optimizer.groups[state.group] ?? null);
      const name = state.parameter ?? '';
      const companions = {
        gradient: gradients.get(name) ?? null,
        average: averages.get(name) ?? null,
      };
      const unit = unitOf({ optimizer, group, groupIndex: state.group, state }, sides, companions);
      units.push(unit);
      for (const tensor of tensorsOf(unit)) taken.add(tensor.name);
    }
  }
  const singles = head.tensors
    .filter((tensor) => !taken.has(tensor.name))
    .map((tensor) => ({
      head: tensor,
      base: partner(tensor, sides.base?.tensors.get(tensor.name) ?? null),
    }));
  return { units, singles };
}

/** The head's tensors of a unit. */
export function tensorsOf(unit: Unit): Tensor[] {
  const all = [
    unit.weight.head,
    unit.copy,
    unit.first.head,
    unit.second.head,
    unit.maximum.head,
    unit.momentum.head,
    unit.average.head,
    unit.gradient,
  ];
  return all.filter((tensor) => tensor !== null);
}
