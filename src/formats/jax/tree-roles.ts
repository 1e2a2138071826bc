/** What the arrays of a JAX training state are for, told by their paths; optimizer state apart. */
import { isComplex, isFloat } from '../../checkpoint/dtype.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { roleOfModelTensor } from '../tensor-role.ts';

/** Under these lies what optimizers keep. */
const optimizerRoots = new Set([
  'opt_state',
  'opt_states',
  'optimizer_state',
  'optimizer_states',
  'optimizer',
  'opt',
]);

const parameterRoots = new Set(['params', 'target', 'trainable_params', 'parameters']);
const averageRoots = /^(ema|ema_params|params_ema|ema_model|polyak|avg_params|average_params)$/;
const bufferRoots = /^(batch_stats|cache|rngs?|dropout_rng|intermediates|mutable_state)$/;

/** A layer deep in a model may be called anything: roots are looked for this far. */
const rootDepth = 4;

/** Index of the part after the optimizer's root; 0 where the path is none of its. */
export function optimizerDepth(parts: readonly string[]): number {
  const at = parts.slice(0, rootDepth).findIndex((part) => optimizerRoots.has(part));
  return at + 1;
}

function hasRoot(parts: readonly string[], is: (part: string) => boolean): boolean {
  return parts.slice(0, Math.min(rootDepth, parts.length - 1)).some(is);
}

/** The name of a leaf: Flax's NNX wraps each in a variable, whose array is its `value`. */
export function leafOf(parts: readonly string[]): string {
  const last = parts.at(-1) ?? '';
  return last === 'value' ? (parts.at(-2) ?? '') : last;
}

/** `step` of a training state: one whole number near the root. */
export function isStep({ name, elements, dtype }: TensorDraft): boolean {
  if (elements !== 1 || isFloat(dtype)) return false;
  return /^([^.]+\.){0,2}(step|global_step)(\.value)?$/.test(name);
}

/** Marks every tensor outside the optimizer's roots; what nothing tells stays `other`. */
export function markTree(tensors: readonly TensorDraft[]): void {
  const model = tensors.map((tensor) => ({ tensor, parts: tensor.name.split('.') }));
  const isParameters = (part: string) => parameterRoots.has(part);
  const named = model.some(({ parts }) => hasRoot(parts, isParameters));
  const isStatistic = statisticsOf(tensors);
  for (const { tensor, parts } of model) {
    if (optimizerDepth(parts) > 0) continue;
    if (isStep(tensor)) tensor.role = 'step';
    else if (hasRoot(parts, (part) => bufferRoots.test(part))) tensor.role = 'buffer';
    else if (isStatistic(tensor)) tensor.role = 'buffer';
    else if (!isFloat(tensor.dtype) && !isComplex(tensor.dtype)) tensor.role = 'other';
    else if (hasRoot(parts, (part) => averageRoots.test(part))) tensor.role = 'average';
    else if (hasRoot(parts, isParameters)) tensor.role = 'parameter';
    else if (!named) tensor.role = roleOfModelTensor(tensor.name, tensor.dtype);
  }
}

/** NNX keeps a normalisation's mean and variance beside its scale, in one tree with the parameters. */
function statisticsOf(tensors: readonly TensorDraft[]): (tensor: TensorDraft) => boolean {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape.join()]));
  return ({ name, shape }) => {
    const found = /^(.*\.)(mean|var)(\.value)?$/s.exec(name);
    if (!found) return false;
    const [, layer = '', own, end = ''] = found;
    const other = own === 'mean' ? 'var' : 'mean';
    return shapes.get(`${layer}${other}${end}`) === shape.join();
  };
}
