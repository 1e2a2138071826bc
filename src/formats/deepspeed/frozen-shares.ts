/** ZeRO 3 keeps a part of each frozen parameter with each rank; before it the model has them whole. */
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { layEachInShares, SliceBudget } from './flat-layout.ts';
import { joinSlices } from './join-slices.ts';
import { type ModelStates, modulePrefix } from './model-states.ts';

/** Frozen parameters that the first rank's model does not hold itself, joined from all ranks'. */
export function joinFrozen(models: ReadonlyMap<number, ModelStates>): TensorDraft[] {
  const [first] = models.values();
  const budget = new SliceBudget();
  const ranks = models.size;
  return [...(first?.frozen ?? [])].flatMap(([name, shape]) => {
    if (first?.model.tensors.has(name)) return [];
    const lengths = [Math.ceil(shape.elements / ranks)];
    const { parameters } = layEachInShares([[name, shape]], { lengths, ranks }, budget);
    const slices = parameters[0]?.slices ?? [];
    const joined = joinSlices({ name: `${modulePrefix}${name}`, ...shape, slices }, ({ rank }) => {
      return models.get(rank)?.fragments.get(name);
    });
    return joined ? [{ ...joined, role: 'parameter' as const }] : [];
  });
}
