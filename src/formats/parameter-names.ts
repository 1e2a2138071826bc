/**
 * `--names`: whose state is whose, told by who built the optimizer, for files that lost the order. It
 * names what the file leaves open; a name that the file contradicts is refused.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { LaikaError } from '../checkpoint/errors.ts';
import type { Optimizer, OptimizerGroup, ParameterState } from '../checkpoint/optimizer.ts';
import type { Tensor } from '../checkpoint/tensor.ts';

/** Names by optimizer, group and place in the group. */
export type ParameterNames = readonly (readonly (readonly string[])[])[];

/** Python that writes the file, where the model and its optimizer are built. */
export const namesSnippet = [
  'import json',
  'names = {id(p): n for n, p in model.named_parameters()}',
  'groups = [[names[id(p)] for p in g["params"]] for g in optimizer.param_groups]',
  'with open("names.json", "w") as file:',
  '    json.dump(groups, file)',
] as const;

function invalid(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'arguments-invalid',
    what: 'The names do not fit',
    where,
    why,
    next: 'write them where the optimizer is built; `laika inspect CHECKPOINT` prints how',
  });
}

/**
 * Reads `[[name, …], …]`, a list for each group, or a list of such lists for several optimizers.
 * @throws LaikaError `arguments-invalid`.
 */
export function parseNames(bytes: Uint8Array, where: string): ParameterNames {
  const value = listed(bytes, where);
  const isGroups = (each: unknown): each is readonly (readonly string[])[] =>
    Array.isArray(each) && each.every(isNames);
  if (isGroups(value) && value.length > 0) return [value];
  if (Array.isArray(value) && value.length > 0 && value.every(isGroups)) return value;
  throw invalid(where, 'it is no list of lists of names, one a parameter group');
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function listed(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid(where, 'it is no JSON');
  }
}

/**
 * The checkpoint with owners for state that had none.
 * @throws LaikaError `arguments-invalid` where groups, shapes or owners in the file say otherwise.
 */
export function withNames(
  checkpoint: Checkpoint,
  names: ParameterNames,
  where: string,
): Checkpoint {
  const { optimizers } = checkpoint;
  if (optimizers.length === 0) return checkpoint;
  if (optimizers.length !== names.length) {
    throw invalid(where, `${checkpoint.path} has ${optimizers.length} optimizers`);
  }
  const models = new ModelNames(checkpoint.tensors);
  const owners = new Map<string, Tensor>();
  const named = optimizers.map((optimizer, i) => {
    const found = ownersOf(optimizer, names[i] as ParameterNames[number], { models, where });
    for (const state of optimizer.parameters) {
      const owner = found.get(state);
      if (!owner) continue;
      for (const tensor of Object.values(state.tensors)) owners.set(tensor, owner);
      if (state.master !== null) owners.set(state.master, owner);
    }
    return renamed(optimizer, found);
  });
  const tensors = checkpoint.tensors.map((tensor): Tensor => {
    const owner = owners.get(tensor.name);
    return owner ? { ...tensor, parameter: owner.name, mapping: 'names-file' } : tensor;
  });
  return { ...checkpoint, optimizers: named, tensors };
}

interface Place {
  readonly models: ModelNames;
  readonly where: string;
}

/** Owners of the states that had none. */
function ownersOf(
  { groups, parameters }: Optimizer,
  names: readonly (readonly string[])[],
  { models, where }: Place,
): Map<ParameterState, Tensor> {
  const states = new Map(parameters.map((state) => [state.key, state]));
  const found = new Map<ParameterState, Tensor>();
  if (groups.length !== names.length) throw invalid(where, `there are ${groups.length} groups`);
  for (const [g, { keys }] of groups.entries()) {
    const own = names[g] as readonly string[];
    if (own.length !== keys.length) {
      throw invalid(where, `group ${g} has ${keys.length} parameters, not ${own.length}`);
    }
    for (const [i, key] of keys.entries()) {
      const state = states.get(key);
      const name = own[i] as string;
      const tensor = models.find(name);
      if (!state || !tensor) continue;
      if (state.parameter !== null && state.parameter !== tensor.name) {
        throw invalid(where, `the file says that ${key} is not the state of ${name}`);
      }
      if (!fits(state, tensor)) {
        throw invalid(where, `the state ${i} of group ${g} has not the shape of ${name}`);
      }
      if (state.parameter === null) found.set(state, tensor);
    }
  }
  return found;
}

/** Factored and scalar state has shapes of its own; only a shape of the same rank contradicts. */
function fits({ shape }: ParameterState, tensor: Tensor): boolean {
  if (shape === null || shape.length !== tensor.shape.length) return true;
  return shape.every((size, d) => size === tensor.shape[d] || size === 1);
}

function renamed(optimizer: Optimizer, found: ReadonlyMap<ParameterState, Tensor>): Optimizer {
  const keys = new Map([...found].map(([{ key }, { name }]) => [key, name]));
  return {
    ...optimizer,
    groups: optimizer.groups.map(
      (group): OptimizerGroup => ({
        ...group,
        keys: group.keys.map((key) => keys.get(key) ?? key),
      }),
    ),
    parameters: optimizer.parameters.map((state): ParameterState => {
      const owner = found.get(state);
      return owner ? { ...state, key: owner.name, parameter: owner.name } : state;
    }),
  };
}

/** Parameters by their full names, and by the ends of those where only one has that end. */
class ModelNames {
  readonly #byName = new Map<string, Tensor | null>();

  constructor(tensors: readonly Tensor[]) {
    const own = tensors.filter(({ role, aliasOf }) => role === 'parameter' && aliasOf === null);
    const whole = new Set(own.map(({ name }) => name));
    for (const tensor of own) this.#byName.set(tensor.name, tensor);
    for (const tensor of own) {
      for (let dot = tensor.name.indexOf('.'); dot >= 0; dot = tensor.name.indexOf('.', dot + 1)) {
        const end = tensor.name.slice(dot + 1);
        if (!whole.has(end)) this.#byName.set(end, this.#byName.has(end) ? null : tensor);
      }
    }
  }

  find(name: string): Tensor | null {
    return this.#byName.get(name) ?? null;
  }
}
