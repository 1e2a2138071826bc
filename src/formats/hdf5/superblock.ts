/** The first block of an HDF5 file: where its root lies, and where the file should end. */
import { expectChecksum, type Hdf5Bytes, Hdf5Fault, u64 } from './hdf5-bytes.ts';

export const hdf5Mark = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

export interface Superblock {
  /** Address of the root group's header. */
  readonly root: number;
  /** First byte after the file. */
  readonly endAddress: number;
}

/** Of versions 2 and 3. */
const newerBytes = 48;

/** @throws Hdf5Fault; as `Source.read`. */
export async function readSuperblock(bytes: Hdf5Bytes): Promise<Superblock> {
  const { sizeBytes } = bytes.place;
  const head = await bytes.at(0, Math.min(sizeBytes, 96));
  if (!head.subarray(0, 8).equals(hdf5Mark)) {
    const rule = sizeBytes < 8 ? 'file-truncated' : 'header-invalid';
    throw new Hdf5Fault(rule, 0, 'it does not begin with the mark of HDF5');
  }
  const version = head[8] ?? 255;
  if (version > 3) {
    throw new Hdf5Fault('header-invalid', 8, `a superblock of version ${version} does not exist`);
  }
  if (version >= 2) return newerSuperblock(head);
  // Version 1 has one more word in the middle.
  const shift = version === 1 ? 4 : 0;
  expectShape(head, { needed: 80 + shift, widths: 13, base: 24 + shift });
  return { root: u64(head, 64 + shift), endAddress: u64(head, 40 + shift) };
}

function newerSuperblock(head: Buffer): Superblock {
  expectShape(head, { needed: newerBytes, widths: 9, base: 12 });
  const own = head.subarray(0, newerBytes);
  expectChecksum(own, own.readUInt32LE(44), { address: 0, mark: 'the superblock' });
  return { root: u64(head, 36), endAddress: u64(head, 28) };
}

function expectShape(
  head: Buffer,
  { needed, widths, base }: { needed: number; widths: number; base: number },
): void {
  if (head.length < needed) {
    throw new Hdf5Fault('file-truncated', head.length, 'it ends inside its superblock');
  }
  if (head[widths] !== 8 || head[widths + 1] !== 8) {
    throw new Hdf5Fault('header-invalid', widths, 'its addresses are not of eight bytes');
  }
  if (head.readBigUInt64LE(base) !== 0n) {
    throw new Hdf5Fault('header-invalid', base, 'its addresses do not count from its start');
  }
}
