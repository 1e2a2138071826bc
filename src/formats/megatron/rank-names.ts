/** Names of what several ranks hold under one name each. */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** Adds ` (mp_rank_01)` to names, or nothing where there is one rank. */
export function nameByRank(tensors: readonly TensorDraft[], suffix: string): void {
  if (suffix === '') return;
  for (const tensor of tensors) {
    tensor.nameInFile = tensor.name;
    tensor.name += suffix;
    if (tensor.aliasOf !== null) tensor.aliasOf += suffix;
  }
}

/** The same for states whose parameter is unknown: their path is all that tells them apart. */
export function nameStatesByRank(
  optimizers: readonly Optimizer[],
  suffix: string,
): readonly Optimizer[] {
  if (suffix === '') return optimizers;
  return optimizers.map((optimizer) => {
    const unnamed = optimizer.parameters.filter(({ parameter }) => parameter === null);
    const keys = new Set(unnamed.map(({ key }) => key));
    const named = (key: string) => (keys.has(key) ? key + suffix : key);
    return {
      ...optimizer,
      groups: optimizer.groups.map((group) => ({ ...group, keys: group.keys.map(named) })),
      parameters: optimizer.parameters.map((state) => {
        return { ...state, key: named(state.key), path: state.path + suffix };
      }),
    };
  });
}
