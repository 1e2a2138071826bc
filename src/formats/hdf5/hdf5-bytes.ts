/** Bytes of an HDF5 file by address: every address is compared with the file before anything is read. */
import type { Source } from '../../sources/source.ts';
import { lookup3 } from './lookup3.ts';

/** The structure breaks its own format. */
export class Hdf5Fault extends Error {
  readonly rule: 'header-invalid' | 'file-truncated' | 'checksum-mismatch';
  /** Address in the HDF5 file. */
  readonly address: number;

  constructor(rule: Hdf5Fault['rule'], address: number, message: string) {
    super(message);
    this.rule = rule;
    this.address = address;
  }
}

/** Where the HDF5 file lies: a file of its own, or a member of an archive. */
export interface Hdf5Place {
  readonly file: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** An address that means "none". */
export const undefinedAddress = 0xffff_ffff_ffff_ffffn;

/** All that is read of structures: no honest file needs more. */
const metadataMost = 2 ** 30;

export class Hdf5Bytes {
  readonly place: Hdf5Place;
  readonly #source: Source;
  #read = 0;

  constructor(source: Source, place: Hdf5Place) {
    this.#source = source;
    this.place = place;
  }

  /** @throws Hdf5Fault where the file has no such bytes; as `Source.read`. */
  async at(address: number, length: number): Promise<Buffer> {
    if (!(address >= 0 && length >= 0 && address + length <= this.place.sizeBytes)) {
      const { sizeBytes } = this.place;
      const message = `${length} bytes at ${address} are promised; the file has ${sizeBytes}`;
      throw new Hdf5Fault('file-truncated', Math.max(0, Math.min(address, sizeBytes)), message);
    }
    this.charge(address, length);
    const bytes = Buffer.alloc(length);
    await this.#source.read(this.place.file, this.place.offset + address, bytes);
    return bytes;
  }

  /** Counts bytes that are looked at once more: many names may lead to one place. @throws Hdf5Fault. */
  charge(address: number, length: number): void {
    this.#read += length;
    if (this.#read <= metadataMost) return;
    const message = `more than ${metadataMost} bytes of structure`;
    throw new Hdf5Fault('header-invalid', address, message);
  }

  /** As `at`, of a structure that begins with `mark`. */
  async marked(address: number, length: number, mark: string): Promise<Buffer> {
    const bytes = await this.at(address, length);
    if (bytes.toString('latin1', 0, 4) === mark) return bytes;
    throw new Hdf5Fault('header-invalid', address, `no ${mark} lies at ${address}`);
  }

  /** As `marked`, of a newer structure, which ends with its checksum. */
  async checked(address: number, length: number, mark: string): Promise<Buffer> {
    const bytes = await this.marked(address, Math.max(length, 8), mark);
    expectChecksum(bytes, bytes.readUInt32LE(bytes.length - 4), { address, mark });
    return bytes;
  }
}

/** Compares the sum of all but the last four bytes. @throws Hdf5Fault. */
export function expectChecksum(
  bytes: Buffer,
  stored: number,
  { address, mark }: { readonly address: number; readonly mark: string },
): void {
  const found = lookup3(bytes.subarray(0, -4));
  if (found === stored) return;
  const shown = (value: number) => value.toString(16).padStart(8, '0');
  const message = `the checksum of ${mark} is ${shown(found)}; ${shown(stored)} was stored with it`;
  throw new Hdf5Fault('checksum-mismatch', address, message);
}

/** A 64-bit address or size as a number; what no file could have becomes infinite. */
export function u64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.POSITIVE_INFINITY;
}

/** A number of `width` bytes; inexact past 2^53, which no file reaches; what is not there is zero. */
export function uint(bytes: Buffer, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i -= 1) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
