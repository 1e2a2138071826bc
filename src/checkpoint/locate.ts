/** Where an element of a tensor lies: its file, byte and the rank that wrote it. */
import { dtypeBits } from './dtype.ts';
import type { Box, Piece, Placement, Tensor } from './tensor.ts';

export interface ElementPlace {
  /** As placements name it: a part of a file has a name of its own. */
  readonly file: string;
  /** Byte of the element in `file`; null where it has none (inline, zeros). */
  readonly offset: number | null;
  readonly rank: number | null;
}

/** The place of the element with flat logical index `index`, which must be in the tensor. */
export function locate(tensor: Tensor, index: number): ElementPlace {
  const { placement, shape } = tensor;
  const elementBytes = dtypeBits[tensor.dtype] / 8;
  const place = placeIn({ placement, shape, elementBytes }, index);
  return place ?? { file: tensor.file, offset: null, rank: null };
}

interface Part {
  readonly placement: Placement;
  readonly shape: readonly number[];
  readonly elementBytes: number;
}

function placeIn({ placement, shape, elementBytes }: Part, index: number): ElementPlace | null {
  switch (placement.kind) {
    case 'dense':
      return inPieces(placement.pieces, index, elementBytes);
    case 'strided': {
      const { file, offset, strides } = placement;
      const inner = coordinatesOf(index, shape);
      const steps = inner.reduce((sum, at, d) => sum + at * (strides[d] as number), 0);
      return { file, offset: offset + steps * elementBytes, rank: null };
    }
    case 'boxes':
      return inBoxes(placement.boxes, coordinatesOf(index, shape), elementBytes);
    default:
      return null;
  }
}

function inPieces(
  pieces: readonly Piece[],
  index: number,
  elementBytes: number,
): ElementPlace | null {
  let first = 0;
  for (const { file, offset, elements, rank } of pieces) {
    if (index < first + elements) {
      const inside = Math.floor((index - first) * elementBytes);
      return { file, offset: offset + inside, rank: rank ?? null };
    }
    first += elements;
  }
  return null;
}

function inBoxes(
  boxes: readonly Box[],
  coordinates: readonly number[],
  elementBytes: number,
): ElementPlace | null {
  for (const { origin, sizes, placement, rank } of boxes) {
    const inner = coordinates.map((at, d) => at - (origin[d] as number));
    if (!inner.every((at, d) => at >= 0 && at < (sizes[d] as number))) continue;
    const index = inner.reduce((flat, at, d) => flat * (sizes[d] as number) + at, 0);
    const place = placeIn({ placement, shape: sizes, elementBytes }, index);
    return place && { ...place, rank: place.rank ?? rank ?? null };
  }
  return null;
}

/** Row-major coordinates of a flat index. */
export function coordinatesOf(index: number, shape: readonly number[]): number[] {
  const coordinates = shape.map(() => 0);
  let rest = index;
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d] as number;
    coordinates[d] = rest % size;
    rest = Math.floor(rest / size);
  }
  return coordinates;
}
