/** The first block of an HDF5 file: where its root lies, and where the file should end. */
import { LaikaError } from '../../checkpoint/errors.ts';
import { type Hdf5Bytes, Hdf5Fault, u64 } from './hdf5-bytes.ts';

export const hdf5Mark = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

export interface Superblock {
  /** Address of the root group's header. */
  readonly root: number;
  /** First byte after the file. */
  readonly endAddress: number;
}

/**
 * @throws Hdf5Fault; LaikaError `not-a-checkpoint` for the newer structures that Keras does not write;
 * as `Source.read`.
 */
export async function readSuperblock(bytes: Hdf5Bytes): Promise<Superblock> {
  const { sizeBytes, file } = bytes.place;
  const head = await bytes.at(0, Math.min(sizeBytes, 96));
  if (!head.subarray(0, 8).equals(hdf5Mark)) {
    const rule = sizeBytes < 8 ? 'file-truncated' : 'header-invalid';
    throw new Hdf5Fault(rule, 0, 'it does not begin with the mark of HDF5');
  }
  const version = head[8] ?? 255;
  if (version === 2 || version === 3) {
    throw new LaikaError({
      code: 'not-a-checkpoint',
      what: 'This layout is not supported',
      where: file,
      why: `it is HDF5 with a superblock of version ${version}, which Keras does not write`,
      next: 'save it with Keras itself, or copy it with h5repack --low=0 --high=0',
    });
  }
  if (version > 1) {
    throw new Hdf5Fault('header-invalid', 8, `a superblock of version ${version} does not exist`);
  }
  // Version 1 has one more word in the middle.
  const shift = version === 1 ? 4 : 0;
  if (head.length < 80 + shift) {
    throw new Hdf5Fault('file-truncated', head.length, 'it ends inside its superblock');
  }
  if (head[13] !== 8 || head[14] !== 8) {
    throw new Hdf5Fault('header-invalid', 13, 'its addresses are not of eight bytes');
  }
  if (head.readBigUInt64LE(24 + shift) !== 0n) {
    throw new Hdf5Fault('header-invalid', 24 + shift, 'its addresses do not count from its start');
  }
  return { root: u64(head, 64 + shift), endAddress: u64(head, 40 + shift) };
}
