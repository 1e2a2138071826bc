/** Where a finding's element lies: its coordinates, and the byte of the file that holds it. */
import { coordinatesOf, locate } from '../checkpoint/locate.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Finding } from './result.ts';

export type Place = Pick<Finding, 'element' | 'file' | 'offset' | 'rank'>;

/** `offset` is left out where the element has no byte of its own, `rank` where the layout names none. */
export function placeOf(tensor: Tensor, index: number): Place {
  const { file, offset, rank } = locate(tensor, index);
  return {
    element: { index, coordinates: coordinatesOf(index, tensor.shape) },
    file,
    ...(offset === null ? {} : { offset }),
    ...(rank === null ? {} : { rank }),
  };
}
