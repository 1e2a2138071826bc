/** Finds models, averages of them and their gradients among the dictionaries of a file. */

import {
  markAverageList,
  markCopies,
  markModel,
  repeatsModel,
} from '../optimizer-state/model-tensors.ts';
import { NameIndex } from '../optimizer-state/name-match.ts';
import type { ModelTensors } from '../optimizer-state/raw-optimizer.ts';
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
import { below, keyText } from './tree-walk.ts';

/** Keys under which training scripts keep the weights. */
const modelKey = /state_dict|model_state|^model_|_model$|^net_?[a-z]$/i;
const modelKeys = new Set([
  'model',
  'net',
  'network',
  'module',
  'weights',
  'params',
  'parameters',
  'generator',
  'discriminator',
  'encoder',
  'decoder',
]);
const averageKey = /(^|[._])(ema|swa|shadow)|_ema($|[._])|averaged?($|[._])/i;
const gradientKey = /(^|\.)(grads?|gradients?)$/i;
/** Earlier or better weights beside the present ones. */
const otherCopyKey = /(^|[._])(best|init|initial|previous|prev|old|last)([._]|$)/i;

interface Candidate {
  readonly model: ModelTensors;
  readonly path: string;
}

function tensorsIn(dict: PickleDict, path: string, file: SavedState): Map<string, TensorDraft> {
  const tensors = new Map<string, TensorDraft>();
  for (const [key, value] of dict.entries) {
    const tensor = isObject(value) ? file.byPath.get(below(path, key)) : undefined;
    if (tensor) tensors.set(keyText(key), tensor);
  }
  return tensors;
}

/** A module's own dictionary carries its versions, whatever it is called. */
function isStateDict(dict: PickleDict): boolean {
  return entryOf(dict.state, '_metadata') !== undefined;
}

/**
 * A file that is one state dictionary whose versions were lost: most names end as modules' names
 * do.
 */
function looksLikeStateDict(tensors: ReadonlyMap<string, TensorDraft>): boolean {
  let usual = 0;
  for (const name of tensors.keys()) if (/(^|[._])(weight|bias)$/.test(name)) usual += 1;
  return 2 * usual >= tensors.size;
}

function isModelKey(key: string): boolean {
  return modelKeys.has(key.toLowerCase()) || modelKey.test(key);
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Containers outside the optimizers: what lies inside one follows it in the list. */
function outside(file: SavedState, optimizers: ReadonlySet<PickleValue>): Container[] {
  let inside: string | null = null;
  return file.containers.filter(({ path, value }) => {
    if (inside !== null && path.startsWith(inside)) return false;
    inside = optimizers.has(value) ? (path === '' ? '' : `${path}.`) : null;
    return inside === null;
  });
}

/** Dictionaries of tensors outside the optimizers. */
function candidatesOf(file: SavedState, optimizers: ReadonlySet<PickleValue>): Candidate[] {
  return outside(file, optimizers).flatMap(({ path, value }): Candidate[] => {
    if (!isDict(value)) return [];
    const tensors = tensorsIn(value, path, file);
    if (tensors.size === 0) return [];
    const isModel =
      isStateDict(value) ||
      averageKey.test(path) ||
      gradientKey.test(path) ||
      (path === '' ? looksLikeStateDict(tensors) : isModelKey(lastPart(path)));
    if (!isModel) return [];
    const prefix = path === '' ? '' : `${path}.`;
    return [{ path, model: { prefix, tensors, order: 'order' } }];
  });
}

/**
 * Marks roles of all tensors outside the optimizers, and returns the models. `optimizers` are the
 * optimizers' dictionaries.
 */
export function findModels(
  file: SavedState,
  optimizers: ReadonlySet<PickleValue>,
): readonly ModelTensors[] {
  const candidates = candidatesOf(file, optimizers);
  const plain = candidates.filter(({ path }) => {
    return !averageKey.test(path) && !gradientKey.test(path) && !otherCopyKey.test(path);
  });
  const models = plain.map(({ model }) => model);
  // A file of averaged weights alone is a model like any other.
  const alone = models.length === 0 ? candidates.filter(({ path }) => !gradientKey.test(path)) : [];
  models.push(...alone.map(({ model }) => model));
  for (const model of models) markModel(model);
  const index = new NameIndex(models);
  const known = new Set(models);
  for (const { path, model } of candidates) {
    if (known.has(model)) continue;
    if (gradientKey.test(path)) markCopies(model, index, 'gradient');
    else if (averageKey.test(path) && repeatsModel(model, index)) {
      markCopies(model, index, 'average');
    }
  }
  for (const list of averageLists(file)) markAverageList(list, models);
  return models;
}

/** `shadow_params`: the averages as a list, without names. */
function averageLists({ containers, byPath }: SavedState): TensorDraft[][] {
  return containers.flatMap(({ path, value }) => {
    if (!isSequence(value) || lastPart(path) !== 'shadow_params') return [];
    return [value.items.flatMap((_item, i) => byPath.get(below(path, i)) ?? [])];
  });
}
