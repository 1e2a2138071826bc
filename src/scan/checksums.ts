/** Stored checksums that no tensor's sweep covers in whole: views, shared storages, members without tensors. */
import { crc32 } from 'node:zlib';
import type { Checkpoint, StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { pageBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';

/** CRC-32 of the stored bytes, read in pages. */
export async function readCrc32(source: Source, stored: StoredChecksum): Promise<number> {
  const buffer = new Uint8Array(Math.min(pageBytes, stored.length));
  let value = 0;
  for (let at = 0; at < stored.length; at += pageBytes) {
    const part = buffer.subarray(0, Math.min(pageBytes, stored.length - at));
    await source.read(stored.file, stored.offset + at, part);
    value = crc32(part, value);
  }
  return value >>> 0;
}

/** Names of the tensors that lie in the checked bytes, at most three. */
function tensorsIn(checkpoint: Checkpoint, stored: StoredChecksum): string[] {
  const end = stored.offset + stored.length;
  const inside = (file: string, offset: number) =>
    file === stored.file && offset >= stored.offset && offset < end;
  const found = checkpoint.tensors.filter(({ placement }) => {
    if (placement.kind === 'dense')
      return placement.pieces.some((piece) => inside(piece.file, piece.offset));
    return placement.kind === 'strided' && inside(placement.file, placement.offset);
  });
  return found.slice(0, 3).map((tensor) => tensor.name);
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** The damage that a checksum proves, or null where it matches. */
export function compareCrc32(
  checkpoint: Checkpoint,
  stored: StoredChecksum,
  found: number,
): Problem | null {
  if (found === stored.expected >>> 0) return null;
  const tensors = tensorsIn(checkpoint, stored);
  const holds = tensors.length > 0 ? `, which holds ${tensors.join(', ')}` : '';
  return {
    rule: 'checksum-mismatch',
    kind: 'damage',
    file: stored.file,
    offset: stored.offset,
    ...(tensors[0] === undefined ? {} : { tensor: tensors[0] }),
    message:
      `the CRC-32 of ${stored.member}${holds} is ${hexadecimal(found)}; ` +
      `${hexadecimal(stored.expected)} was stored with it`,
  };
}
