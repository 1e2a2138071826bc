/**
 * Last parts of the names of buffers that modules compute once, where they mean the same in every
 * library; `mask` alone may be a pruning mask.
 */
export const constantBufferNames: readonly string[] = [
  'inv_freq',
  'original_inv_freq',
  'cos_cached',
  'sin_cached',
  'position_ids',
  'token_type_ids',
  'relative_position_index',
  'relative_coords_table',
  'causal_mask',
  'masked_bias',
];
