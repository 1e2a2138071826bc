/** A tensor while its file is being read: what it is for is found out after it was listed. */
import type { Tensor } from '../../checkpoint/tensor.ts';

export type TensorDraft = { -readonly [Key in keyof Tensor]: Tensor[Key] };
