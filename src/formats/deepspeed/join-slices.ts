/** Puts slices of ranks' flat vectors together to the tensor that they are parts of. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import { type Piece, type Placement, unowned } from '../../checkpoint/tensor.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { Slice } from './flat-layout.ts';
import type { Shape } from './stored-values.ts';

/** A rank's flat vector by its number; undefined where the rank has none. */
export type VectorOf = (slice: Slice) => TensorDraft | undefined;

/** What a joined tensor is called; its shape, and its slices in the order of its elements. */
export interface Joined extends Shape {
  readonly name: string;
  readonly slices: readonly Slice[];
}

/** Null: no rank has such a vector. Where one is missing or too short, the tensor has no bytes. */
export function joinSlices(joined: Joined, vectorOf: VectorOf): TensorDraft | null {
  const { name, shape, elements } = joined;
  const vectors = joined.slices.map(vectorOf);
  const first = vectors.find((vector) => vector !== undefined);
  if (!first) return null;
  return {
    name,
    role: 'other',
    ...unowned,
    file: first.file,
    dtype: first.dtype,
    shape,
    elements,
    placement: placementOf(joined, vectors),
  };
}

function absent(reason: string): Placement {
  return { kind: 'absent', reason };
}

function placementOf(
  { slices, elements }: Joined,
  vectors: readonly (TensorDraft | undefined)[],
): Placement {
  const pieces: Piece[] = [];
  const dtype = vectors.find((vector) => vector !== undefined)?.dtype ?? 'f32';
  const bytes = dtypeBits[dtype] / 8;
  let covered = 0;
  for (const [i, slice] of slices.entries()) {
    const vector = vectors[i];
    if (!vector) return absent('a rank’s share is missing');
    if (vector.dtype !== dtype) return absent('its shares differ in type');
    if (slice.start + slice.elements > vector.elements)
      return absent('a rank’s share is too short');
    const { placement } = vector;
    const [piece, more] = placement.kind === 'dense' ? placement.pieces : [];
    if (!piece || more) return absent('a rank’s vector is not stored plainly');
    pieces.push({
      file: piece.file,
      offset: piece.offset + slice.start * bytes,
      elements: slice.elements,
      rank: slice.rank,
    });
    covered += slice.elements;
  }
  if (covered !== elements) return absent('its shares do not make it whole');
  return { kind: 'dense', pieces };
}
