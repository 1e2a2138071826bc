/**
 * FP16_Optimizer without ZeRO: one flat fp32 vector a group beside the weights, and no table of
 * names. The 16-bit weights of a group are views of one storage, in the vector's own order.
 */

import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { entryOf, isSequence } from '../pickle/values.ts';
import type { OptimizerDict } from '../torch-zip/optimizer-dicts.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import type { FlatParameter } from './flat-layout.ts';

const mastersPath = 'optimizer.fp32_groups_flat';

/** Path of the base optimizer's dictionary. */
export const fusedStatePath = 'optimizer.optimizer_state_dict';

/** The fp32 vectors; null where the file holds none. */
export function fusedMasters(
  { root, byPath }: TorchFile,
  dicts: readonly OptimizerDict[],
): readonly (TensorDraft | undefined)[] | null {
  const list = entryOf(entryOf(root, 'optimizer'), 'fp32_groups_flat');
  if (!isSequence(list) || !dicts.some(({ path }) => path === fusedStatePath)) return null;
  return list.items.map((_item, i) => byPath.get(`${mastersPath}.${i}`));
}

interface View {
  readonly name: string;
  readonly tensor: TensorDraft;
  readonly first: number;
}

/** Weights by the storage that they look at, in its order; each element of it belongs to one. */
function tiledStorages(
  torch: TorchFile,
  weights: ReadonlyMap<string, TensorDraft>,
): Map<number, View[][]> {
  const byStorage = new Map<string, View[]>();
  for (const [name, tensor] of weights) {
    const place = torch.places.get(tensor);
    if (!place || tensor.aliasOf !== null || tensor.elements === 0) continue;
    const views = byStorage.get(place.key) ?? [];
    byStorage.set(place.key, views);
    views.push({ name, tensor, first: place.first });
  }
  const byLength = new Map<number, View[][]>();
  for (const views of byStorage.values()) {
    views.sort((a, b) => a.first - b.first);
    let end = 0;
    const isTiled = views.every(({ first, tensor }) => {
      const follows = first === end;
      end += tensor.elements;
      return follows;
    });
    if (isTiled) byLength.set(end, [...(byLength.get(end) ?? []), views]);
  }
  return byLength;
}

/**
 * Parameters of the vectors, as far as their lengths tell which storage is whose: a length that two
 * vectors or two storages have says nothing.
 */
export function fusedParameters(
  torch: TorchFile,
  weights: ReadonlyMap<string, TensorDraft>,
  masters: readonly (TensorDraft | undefined)[],
): readonly FlatParameter[] {
  const byLength = tiledStorages(torch, weights);
  return masters.flatMap((master, flat) => {
    const rivals = masters.filter((other) => other?.elements === master?.elements);
    const storages = master ? (byLength.get(master.elements) ?? []) : [];
    const [views] = storages;
    if (!views || storages.length > 1 || rivals.length > 1) return [];
    return views.map(({ name, tensor: { shape, elements }, first }) => {
      return { name, shape, elements, flat, slices: [{ rank: 0, flat, start: first, elements }] };
    });
  });
}
