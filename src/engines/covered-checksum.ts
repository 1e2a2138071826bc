/**
 * Finds the stored checksum that a tensor's bytes are, in whole, so that it costs no read of its
 * own.
 */
import type { CyclicChecksum, StoredChecksum } from '../checkpoint/checkpoint.ts';
import { sizeBytes } from '../checkpoint/dtype.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { isCyclic } from '../records/crc.ts';

type Index = ReadonlyMap<string, CyclicChecksum>;

/** One index a list: an archive has a checksum for each of its tensors. */
const indexes = new WeakMap<readonly StoredChecksum[], Index>();

function placeOf(file: string, offset: number, length: number): string {
  return `${file}\0${offset}\0${length}`;
}

function indexOf(checksums: readonly StoredChecksum[]): Index {
  const known = indexes.get(checksums);
  if (known) return known;
  const index = new Map(
    checksums.filter(isCyclic).map((each) => [placeOf(each.file, each.offset, each.length), each]),
  );
  indexes.set(checksums, index);
  return index;
}

/** The cyclic checksum over exactly the bytes of a dense tensor of one piece; null where there is none. */
export function coveredChecksum(
  tensor: Tensor,
  checksums: readonly StoredChecksum[],
): CyclicChecksum | null {
  const { placement } = tensor;
  if (checksums.length === 0 || placement.kind !== 'dense') return null;
  const piece = placement.pieces[0];
  if (!piece || placement.pieces.length !== 1) return null;
  const length = sizeBytes(tensor.dtype, piece.elements);
  if (length === null || piece.elements !== tensor.elements) return null;
  return indexOf(checksums).get(placeOf(piece.file, piece.offset, length)) ?? null;
}
