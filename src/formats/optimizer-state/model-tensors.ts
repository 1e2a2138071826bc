/** What a model's own tensors are for, and copies of them: averages and gradients. */
import { isFloat } from '../../checkpoint/dtype.ts';
import { roleOfModelTensor } from '../tensor-role.ts';
import { trainableTensors } from './map-parameters.ts';
import type { NameIndex } from './name-match.ts';
import { matchInOrder } from './order-match.ts';
import type { ModelTensors } from './raw-optimizer.ts';
import { sameShape } from './state-shape.ts';
import type { TensorDraft } from './tensor-draft.ts';

/** Statistics of the data that models keep to normalise their input. */
const statistics = new Set(['mean', 'std', 'pixel_mean', 'pixel_std', 'image_mean', 'image_std']);

/** Marks parameters and buffers by name and type. */
export function markModel(model: ModelTensors): void {
  for (const [name, tensor] of model.tensors) {
    const last = name.slice(name.lastIndexOf('.') + 1);
    // No gradient reaches a whole number: what a module keeps in integers is a buffer.
    const role = roleOfModelTensor(name, tensor.dtype);
    tensor.role = statistics.has(last) || role === 'other' ? 'buffer' : role;
  }
}

/** Marks a second set of tensors under the names of the first: `average` or `gradient`. */
export function markCopies(
  copies: ModelTensors,
  index: NameIndex,
  role: 'average' | 'gradient',
): void {
  for (const [name, tensor] of copies.tensors) {
    const owner = index.find(name);
    if (owner && sameShape(owner.shape, tensor.shape)) {
      // An average of a model repeats its buffers as they are.
      tensor.role = role === 'average' && owner.role === 'buffer' ? 'buffer' : role;
      tensor.parameter = owner.name;
      tensor.mapping = 'fqn';
    } else if (isFloat(tensor.dtype) && role === 'average') {
      tensor.role = 'average';
    }
  }
}

/**
 * Marks averages that are kept as a list in the order of the model's parameters (torch_ema,
 * diffusers).
 */
export function markAverageList(
  averages: readonly TensorDraft[],
  models: readonly ModelTensors[],
): void {
  for (const tensor of averages) tensor.role = 'average';
  const [model, another] = models;
  if (!model || another) return;
  const parameters = trainableTensors(model);
  const shapes = (tensors: readonly TensorDraft[]) => tensors.map(({ shape }) => shape);
  const match = matchInOrder(shapes(averages), shapes(parameters));
  for (const [i, place] of match?.found.entries() ?? []) {
    const [average, owner] = [averages[i], place === null ? undefined : parameters[place]];
    if (!average || !owner) continue;
    average.parameter = owner.name;
    average.mapping = 'order';
  }
}

/** True where most of the names are names of a model's tensors. */
export function repeatsModel(copies: ModelTensors, index: NameIndex): boolean {
  let known = 0;
  for (const name of copies.tensors.keys()) if (index.find(name)) known += 1;
  return known > 0 && 2 * known >= copies.tensors.size;
}
