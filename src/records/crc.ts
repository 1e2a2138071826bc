/** Cyclic checksums of 32 bits by kind: how they go on over more bytes, and how they are stored. */
import type { CyclicChecksum, StoredChecksum } from '../checkpoint/checkpoint.ts';
import { crc32c, masked } from './crc32c.ts';

export type CrcKind = 'crc32' | 'crc32c';

/** The checksum of some bytes, going on from that of the bytes before them; 0: there are none. */
export const crcSteps: Readonly<Record<CrcKind, (bytes: Uint8Array, before: number) => number>> = {
  // Loaded when one is computed: every thread would wait for it.
  crc32: (bytes, before) => process.getBuiltinModule('node:zlib').crc32(bytes, before) >>> 0,
  crc32c,
};

/** Others are hashes: they cannot be joined from parts. */
export function isCyclic(stored: StoredChecksum): stored is CyclicChecksum {
  return typeof stored.expected === 'number';
}

/** What a stored checksum is computed as. */
export function crcKindOf({ kind }: CyclicChecksum): CrcKind {
  return kind === 'crc32' ? 'crc32' : 'crc32c';
}

/** A checksum as it would be stored. */
export function storedForm({ kind }: CyclicChecksum, value: number): number {
  return kind === 'crc32c-masked' ? masked(value) : value;
}
