/**
 * `elastic_checkpoint`: the base optimizer's state is a list with a dictionary for each vector, and
 * its groups are nowhere in the file.
 */
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import type { RawGroup, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { isDict, isSequence, type PickleValue } from '../pickle/values.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { below, childrenOf, keyText } from '../torch-zip/tree-walk.ts';

/** The list at `path` as an optimizer over vectors; null where the value is none. */
export function elasticState(
  { byPath }: TorchFile,
  list: PickleValue | undefined,
  { path, file }: { path: string; file: string },
): RawOptimizer | null {
  if (!isSequence(list) || !list.items.every((item) => isDict(item))) return null;
  const states = new Map<string, RawState>();
  for (const [i, item] of list.items.entries()) {
    const own = below(path, i);
    const tensors = new Map<string, TensorDraft>();
    const plain = new Map<string, HyperValue>();
    for (const { key, value } of childrenOf(item)) {
      const tensor = byPath.get(below(own, key));
      if (tensor) tensors.set(keyText(key), tensor);
      else if (typeof value === 'number') plain.set(keyText(key), value);
    }
    states.set(String(i), { id: String(i), path: own, tensors, plain });
  }
  const groups = [...states.keys()].map((id): RawGroup => {
    return { hyper: new Map(), stepDtype: null, ids: [id], names: null };
  });
  return { prefix: `${path}.`, file, states, groups, masters: null };
}
