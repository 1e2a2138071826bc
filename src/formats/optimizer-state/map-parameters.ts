/**
 * Which parameter each numbered state of an optimizer belongs to. Null where it cannot be known.
 */
import type { Mapping } from '../../checkpoint/tensor.ts';
import type { NameIndex } from './name-match.ts';
import { matchInOrder, type Slot } from './order-match.ts';
import type { ModelTensors, RawGroup, RawOptimizer } from './raw-optimizer.ts';
import { matchByShape } from './shape-match.ts';
import { parameterShape, sameShape } from './state-shape.ts';
import type { TensorDraft } from './tensor-draft.ts';

export interface Owner {
  readonly tensor: TensorDraft;
  readonly mapping: Mapping;
  /** Found by order, where another tensor of the same shape would be meant if the order was another. */
  readonly isAssumed?: true;
}

/** By the optimizer's own ids. */
export type Owners = ReadonlyMap<string, Owner>;

/**
 * Comparisons of all optimizers together past which order and shape are not tried. A group for
 * every parameter says nothing by order, and an optimizer for every parameter says nothing at all.
 */
const maxTrials = 100_000_000;

interface Place {
  readonly group: number;
  readonly index: number;
}

function shapeOf(optimizer: RawOptimizer, id: string, { group, index }: Place): Slot {
  const state = optimizer.states.get(id);
  const shape = state ? parameterShape(state) : null;
  return shape ?? optimizer.masters?.[group]?.[index]?.shape ?? null;
}

/** Tensors that an optimizer can hold: parameters, each once. */
export function trainableTensors(model: ModelTensors): TensorDraft[] {
  const own = new Set([...model.tensors.values()].map(({ name }) => name));
  return [...model.tensors.values()].filter(({ role, aliasOf }) => {
    return role === 'parameter' && !(aliasOf !== null && own.has(aliasOf));
  });
}

interface OpenGroup {
  readonly ids: readonly string[];
  readonly slots: readonly Slot[];
}

function openGroups(optimizer: RawOptimizer, owners: Owners): OpenGroup[] {
  const groups: OpenGroup[] = [];
  for (const [group, { ids }] of optimizer.groups.entries()) {
    const open = ids.flatMap((id, index) => (owners.has(id) ? [] : [{ id, index }]));
    if (open.length === 0) continue;
    const slots = open.map(({ id, index }) => shapeOf(optimizer, id, { group, index }));
    groups.push({ ids: open.map(({ id }) => id), slots });
  }
  return groups;
}

/**
 * Lays every group over one list of candidates. Parameters found for one group are no candidates of
 * another, so a second round can find more. Null: some group does not fit, so this is not its
 * model.
 */
function layGroups(
  groups: readonly OpenGroup[],
  candidates: readonly TensorDraft[],
): Map<string, TensorDraft> | null {
  const found = new Map<string, TensorDraft>();
  const holder = new Map<TensorDraft, OpenGroup>();
  for (let round = 0; round < 3; round += 1) {
    const before = found.size;
    for (const group of groups) {
      const free = candidates.filter((tensor) => (holder.get(tensor) ?? group) === group);
      const match = matchInOrder(
        group.slots,
        free.map(({ shape }) => shape),
      );
      if (!match) return null;
      for (const [slot, place] of match.found.entries()) {
        if (place === null) continue;
        const tensor = free[place] as TensorDraft;
        holder.set(tensor, group);
        found.set(group.ids[slot] as string, tensor);
      }
    }
    if (found.size === before) break;
  }
  return found;
}

function shapesOf(tensors: readonly TensorDraft[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { shape } of tensors) {
    const key = shape.join(',');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/**
 * Shapes that order alone gave away. A group that holds every tensor of a shape holds them in the
 * model's order; where it holds some, its order may be any, and other tensors of the shape are meant.
 */
function assumedShapes(
  groups: readonly OpenGroup[],
  found: ReadonlyMap<string, TensorDraft>,
  lists: readonly (readonly TensorDraft[])[],
): ReadonlySet<string> {
  const present = shapesOf(lists.flat());
  const assumed = new Set<string>();
  for (const { ids } of groups) {
    const owners = ids.flatMap((id) => found.get(id) ?? []);
    for (const [shape, count] of shapesOf(owners)) {
      if (count !== present.get(shape)) assumed.add(shape);
    }
  }
  // Models follow each other as the optimizer was given them, which need not be as they were saved.
  const models = new Map<string, number>();
  for (const list of lists) {
    for (const shape of shapesOf(list).keys()) models.set(shape, (models.get(shape) ?? 0) + 1);
  }
  for (const [shape, count] of models) if (count > 1) assumed.add(shape);
  return assumed;
}

function isNumbered({ ids }: RawGroup): boolean {
  return ids.every((id) => /^[0-9]+$/.test(id));
}

/** Finds owners among the tensors of one checkpoint's models. */
export class ParameterMapper {
  readonly #index: NameIndex;
  /** Trainable tensors, a list for each model. */
  readonly #lists: readonly (readonly TensorDraft[])[];
  readonly #isOrdered: boolean;
  readonly #size: number;
  #trials = 0;

  constructor(models: readonly ModelTensors[], index: NameIndex) {
    this.#index = index;
    this.#lists = models.map(trainableTensors);
    this.#isOrdered = models.every(({ order }) => order === 'order');
    this.#size = this.#lists.reduce((sum, list) => sum + list.length, 0);
  }

  /** Owners of all states of one optimizer, as far as they can be known. */
  map(optimizer: RawOptimizer): Owners {
    const owners = new Map<string, Owner>();
    this.#byName(optimizer, owners);
    // Names that are none of the model's are not numbers either: order means nothing then.
    if (!optimizer.groups.every(isNumbered)) return owners;
    this.#trials += (1 + optimizer.groups.length) * this.#size;
    if (this.#trials > maxTrials) return owners;
    if (this.#isOrdered) this.#byOrder(optimizer, owners);
    else this.#byShape(optimizer, owners);
    return owners;
  }

  /** torch's `param_names`, or ids that are names themselves. */
  #byName(optimizer: RawOptimizer, owners: Map<string, Owner>): void {
    for (const [group, { ids, names }] of optimizer.groups.entries()) {
      for (const [i, id] of ids.entries()) {
        const stored = names?.[i];
        const tensor = this.#index.find(stored ?? id);
        if (!tensor) continue;
        const shape = shapeOf(optimizer, id, { group, index: i });
        if (shape !== null && !sameShape(shape, tensor.shape)) continue;
        owners.set(id, { tensor, mapping: stored === undefined ? 'fqn' : 'param_names' });
      }
    }
  }

  #byOrder(optimizer: RawOptimizer, owners: Map<string, Owner>): void {
    const groups = openGroups(optimizer, owners);
    if (groups.length === 0) return;
    const taken = new Set([...owners.values()].map(({ tensor }) => tensor));
    const lists = this.#lists.map((list) => list.filter((tensor) => !taken.has(tensor)));
    const layOver = (over: readonly (readonly TensorDraft[])[]) => {
      const found = layGroups(groups, over.flat());
      return found ? [{ found, over }] : [];
    };
    const laid = lists.flatMap((list) => layOver([list]));
    // Two models that both fit: nothing says which one is meant.
    if (laid.length > 1) return;
    // One optimizer for several models holds the parameters of the first, then those of the second.
    const [only] = laid.length === 0 && lists.length > 1 ? layOver(lists) : laid;
    if (!only) return;
    const assumed = assumedShapes(groups, only.found, only.over);
    for (const [id, tensor] of only.found) {
      const isAssumed = assumed.has(tensor.shape.join(','));
      owners.set(id, { tensor, mapping: 'order', ...(isAssumed ? { isAssumed } : {}) });
    }
  }

  #byShape(optimizer: RawOptimizer, owners: Map<string, Owner>): void {
    const slots = optimizer.groups.flatMap(({ ids }, group) => {
      return ids.map((id, index) => {
        return { id, group, shape: shapeOf(optimizer, id, { group, index }) };
      });
    });
    if (slots.some(({ id }) => owners.has(id))) return;
    const tensors = this.#lists.flat();
    const byTensorName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    for (const [i, name] of matchByShape(slots, tensors).entries()) {
      const tensor = name === null ? undefined : byTensorName.get(name);
      const slot = slots[i];
      if (tensor && slot) owners.set(slot.id, { tensor, mapping: 'definition-order' });
    }
  }
}
