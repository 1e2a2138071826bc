/** What a model's own tensor is for, as far as its name and type say. */
import { constantBufferNames } from '../checkpoint/constant-buffer-names.ts';
import { type DType, isComplex, isFloat } from '../checkpoint/dtype.ts';
import type { Role } from '../checkpoint/tensor.ts';

/** Last parts of names under which modules register buffers. */
const bufferNames = new Set([
  ...constantBufferNames,
  'running_mean',
  'running_var',
  'num_batches_tracked',
  'attn_mask',
  'attention_mask',
  'mask',
]);

/** Only floating point takes gradients: any other type that is no known buffer stays `other`. */
export function roleOfModelTensor(name: string, dtype: DType): Role {
  const last = name.slice(name.lastIndexOf('.') + 1);
  if (bufferNames.has(last)) return 'buffer';
  return isFloat(dtype) || isComplex(dtype) ? 'parameter' : 'other';
}

/** What frameworks call what they train. */
const parameterNames =
  /(^|[._/])(weights?|bias|kernel|gamma|beta|embeddings?|recurrent_kernel|depthwise_kernel)(:0)?$/;

/**
 * For layouts that hold arrays of any use: only a name that says so makes a parameter, all others
 * stay `other`.
 */
export function roleByName(name: string, dtype: DType): Role {
  const role = roleOfModelTensor(name, dtype);
  return role === 'parameter' && !parameterNames.test(name) ? 'other' : role;
}
