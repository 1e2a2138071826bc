/** Parts of one tensor as the simplest placement that says the same. */
import { type DType, dtypeBits } from '../checkpoint/dtype.ts';
import type { Box, Piece, Placement } from '../checkpoint/tensor.ts';

/** The box's elements are consecutive in the tensor: one slab of it. */
function isRun(shape: readonly number[], { origin, sizes }: Box): boolean {
  let d = 0;
  while (d < sizes.length && sizes[d] === 1) d += 1;
  for (d += 1; d < sizes.length; d += 1) {
    if (origin[d] !== 0 || sizes[d] !== shape[d]) return false;
  }
  return true;
}

function firstElement(shape: readonly number[], origin: readonly number[]): number {
  return origin.reduce((index, at, d) => index * (shape[d] as number) + at, 0);
}

/**
 * `boxes` tile the tensor, which was checked before. Slabs become the pieces of a dense tensor:
 * those are read straight from their files.
 */
export function joinBoxes(
  { shape, dtype }: { readonly shape: readonly number[]; readonly dtype: DType },
  boxes: readonly Box[],
): Placement {
  // Two elements in a byte: a part could begin in the middle of one.
  if (dtypeBits[dtype] < 8 && boxes.length > 1) {
    return { kind: 'absent', reason: 'packed elements in parts' };
  }
  const full = boxes.filter(({ sizes }) => sizes.every((n) => n > 0));
  const [only, another] = full;
  if (only && !another && only.placement.kind !== 'dense') return only.placement;
  const slabs = full.flatMap((box) => {
    if (box.placement.kind !== 'dense' || !isRun(shape, box)) return [];
    const rank = box.rank === undefined ? {} : { rank: box.rank };
    const pieces = box.placement.pieces.map((piece): Piece => ({ ...piece, ...rank }));
    return [{ first: firstElement(shape, box.origin), pieces }];
  });
  if (slabs.length < full.length) return { kind: 'boxes', boxes: full };
  slabs.sort((a, b) => a.first - b.first);
  return { kind: 'dense', pieces: slabs.flatMap(({ pieces }) => pieces) };
}
