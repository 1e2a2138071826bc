/** Finds optimizers' state dictionaries anywhere in a file. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import {
  entryOf,
  isDict,
  isObject,
  isSequence,
  type PickleDict,
  type PickleValue,
} from '../pickle/values.ts';
import type { Container, SavedState } from './torch-file.ts';
import { below, childrenOf } from './tree-walk.ts';

/** A dictionary with `state` and `param_groups`, and what lies around it. */
export interface OptimizerDict {
  readonly path: string;
  readonly dict: PickleDict;
  /** The dictionary around it: Megatron's masters lie there. */
  readonly parent: PickleValue | undefined;
}

/** An optimizer for every layer is the most that anybody uses. */
const maxOptimizers = 10_000;

/** Lists in a group are read this far for numbers that lie in tensors. */
const maxScalarItems = 8;

/** The path above, or an empty one. */
export function parentPath(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot < 0 ? '' : path.slice(0, dot);
}

function areGroups(groups: PickleValue | undefined): boolean {
  if (!isSequence(groups)) return false;
  return groups.items.every((group) => isSequence(entryOf(group, 'params')));
}

/**
 * All of them, in the order of the file.
 * @throws LaikaError `limit-exceeded` for more than 10,000.
 */
export function findOptimizerDicts(containers: readonly Container[]): OptimizerDict[] {
  const byPath = new Map(containers.map(({ path, value }) => [path, value]));
  // Lists can be shared by many dictionaries: each is looked through once.
  const looked = new Map<PickleValue | undefined, boolean>();
  const found: OptimizerDict[] = [];
  for (const { path, value } of containers) {
    if (!isDict(value) || !isDict(entryOf(value, 'state'))) continue;
    const groups = entryOf(value, 'param_groups');
    const are = looked.get(groups) ?? areGroups(groups);
    looked.set(groups, are);
    if (!are) continue;
    const parent = path === '' ? undefined : byPath.get(parentPath(path));
    found.push({ path, dict: value, parent });
    if (found.length > maxOptimizers) throw tooMany(path);
  }
  return found;
}

function tooMany(where: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: `The file holds more than ${maxOptimizers} optimizers`,
    where,
  });
}

/**
 * Tensors with one element whose value an optimizer's reader needs: counters, and rates in groups.
 */
export function scalarsOf({ path, dict }: OptimizerDict, file: SavedState): TensorDraft[] {
  const wanted = new Set<TensorDraft>();
  const take = (at: string, value: PickleValue | undefined) => {
    const tensor = isObject(value) ? file.byPath.get(at) : undefined;
    if (tensor?.elements === 1) wanted.add(tensor);
  };
  const states = entryOf(dict, 'state');
  for (const [id, state] of isDict(states) ? states.entries : []) {
    const step = entryOf(state, 'step');
    if (isObject(step)) take(below(below(below(path, 'state'), id), 'step'), step);
  }
  const groups = entryOf(dict, 'param_groups');
  // A group that comes again has its tensors under its first place.
  const seen = new Set<PickleValue>();
  for (const [i, group] of (isSequence(groups) ? groups.items : []).entries()) {
    if (!isDict(group) || seen.has(group)) continue;
    seen.add(group);
    const groupPath = below(below(path, 'param_groups'), i);
    for (const { key, value } of childrenOf(group)) {
      if (isObject(value)) take(below(groupPath, key), value);
      const items = isSequence(value) && value.items.length <= maxScalarItems ? value.items : [];
      for (const [j, item] of items.entries()) take(below(below(groupPath, key), j), item);
    }
  }
  return [...wanted];
}
