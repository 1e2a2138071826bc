/**
 * What an optimizer's stored keys hold (formats.md calls it the role table). Unknown keys stay
 * `other`.
 */
import type { Role } from '../../checkpoint/tensor.ts';

const roles: ReadonlyMap<string, Role> = new Map([
  ['step', 'step'],
  ['exp_avg', 'first-moment'],
  ['grad_avg', 'first-moment'],
  ['state1', 'first-moment'],
  ['exp_avg_sq', 'second-moment'],
  ['exp_avg_sq_row', 'second-moment'],
  ['exp_avg_sq_col', 'second-moment'],
  ['exp_avg_var', 'second-moment'],
  ['square_avg', 'second-moment'],
  ['sum', 'second-moment'],
  ['variance', 'second-moment'],
  ['row_var', 'second-moment'],
  ['col_var', 'second-moment'],
  ['grad_sum_sq', 'second-moment'],
  ['hessian', 'second-moment'],
  ['state2', 'second-moment'],
  ['absmax1', 'scale'],
  ['absmax2', 'scale'],
  ['max_exp_avg_sq', 'max-second-moment'],
  ['max_exp_avg_var', 'max-second-moment'],
  ['momentum_buffer', 'momentum'],
  ['momentum', 'momentum'],
  ['ax', 'average'],
  ['prev', 'gradient'],
  ['prev_flat_grad', 'gradient'],
  ['last_grad', 'gradient'],
  // The gradient with its sign turned.
  ['neg_pre_grad', 'gradient'],
  ['master_param', 'master'],
  ['master_weights', 'master'],
]);

/** The role of a tensor under `key` in the state of one parameter. */
export function roleOfState(key: string): Role {
  return roles.get(key) ?? 'other';
}

/** Keys whose tensors have the shape of a row or a column of the parameter. */
export const factoredKeys: ReadonlyMap<string, 'row' | 'column'> = new Map([
  ['exp_avg_sq_row', 'row'],
  ['row_var', 'row'],
  ['exp_avg_sq_col', 'column'],
  ['col_var', 'column'],
]);
