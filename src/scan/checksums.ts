/** Stored checksums that no tensor's sweep covers in whole: views, shared storages, members without tensors. */
import { createHash, type Hash } from 'node:crypto';
import type { Checkpoint, CyclicChecksum, StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Placement } from '../checkpoint/tensor.ts';
import { crcKindOf, crcSteps, storedForm } from '../records/crc.ts';
import { pageBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';

/** The checksum of the stored bytes as it should have been stored, read in pages. */
export async function readChecksum(source: Source, stored: StoredChecksum): Promise<Checksum> {
  const buffer = new Uint8Array(Math.min(pageBytes, stored.length));
  const sum = running(stored);
  for (let at = 0; at < stored.length; at += pageBytes) {
    const part = buffer.subarray(0, Math.min(pageBytes, stored.length - at));
    await source.read(stored.file, stored.offset + at, part);
    sum.update(part);
  }
  return sum.digest();
}

/** A number for the cyclic ones, hexadecimal for hashes. */
export type Checksum = number | string;

interface Running {
  update(bytes: Uint8Array): void;
  digest(): Checksum;
}

function running(stored: StoredChecksum): Running {
  switch (stored.kind) {
    case 'crc32':
    case 'crc32c':
    case 'crc32c-masked':
      return cyclic(stored);
    case 'sha256':
    case 'sha1':
      return hashed(createHash(stored.kind));
    case 'git-sha1':
      return hashed(createHash('sha1').update(`blob ${stored.length}\0`));
  }
}

function cyclic(stored: CyclicChecksum): Running {
  const step = crcSteps[crcKindOf(stored)];
  let value = 0;
  return {
    update: (bytes) => {
      value = step(bytes, value);
    },
    digest: () => storedForm(stored, value),
  };
}

function hashed(hash: Hash): Running {
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
}

/** Names of the tensors that lie in the checked bytes, at most three. */
function tensorsIn(checkpoint: Checkpoint, stored: StoredChecksum): string[] {
  const end = stored.offset + stored.length;
  const inside = (file: string, offset: number) =>
    file === stored.file && offset >= stored.offset && offset < end;
  const lies = (placement: Placement): boolean => {
    if (placement.kind === 'dense')
      return placement.pieces.some((piece) => inside(piece.file, piece.offset));
    if (placement.kind === 'boxes') return placement.boxes.some((box) => lies(box.placement));
    return placement.kind === 'strided' && inside(placement.file, placement.offset);
  };
  const found = checkpoint.tensors.filter(({ placement }) => lies(placement));
  return found.slice(0, 3).map((tensor) => tensor.name);
}

function shown(value: Checksum): string {
  return typeof value === 'string' ? value : value.toString(16).padStart(8, '0');
}

const titles: Readonly<Record<StoredChecksum['kind'], string>> = {
  crc32: 'CRC-32',
  crc32c: 'CRC-32C',
  'crc32c-masked': 'masked CRC-32C',
  sha256: 'SHA-256',
  sha1: 'SHA-1',
  'git-sha1': 'SHA-1 as a git blob',
};

/** The damage that a checksum proves, or null where it matches. */
export function compareChecksum(
  checkpoint: Checkpoint,
  stored: StoredChecksum,
  found: Checksum,
): Problem | null {
  const expected = typeof stored.expected === 'number' ? stored.expected >>> 0 : stored.expected;
  if (found === expected) return null;
  const tensors = tensorsIn(checkpoint, stored);
  const holds = tensors.length > 0 ? `, which holds ${tensors.join(', ')}` : '';
  return {
    rule: 'checksum-mismatch',
    kind: 'damage',
    file: stored.file,
    offset: stored.offset,
    ...(tensors[0] === undefined ? {} : { tensor: tensors[0] }),
    message:
      `the ${titles[stored.kind]} of ${stored.member}${holds} is ${shown(found)}; ` +
      `${shown(expected)} was stored with it`,
  };
}
