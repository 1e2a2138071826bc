/** The central directory of an archive: what each member claims. */
import { Buffer, isUtf8 } from 'node:buffer';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import type { EndRecord } from './end-record.ts';
import { maxDirectoryBytes, maxMembers } from './limits.ts';

export interface DirectoryEntry {
  /** With the archive's own folder: `archive/data/0`. */
  readonly fullName: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  /** Bytes in the file, and bytes after inflating. */
  readonly storedBytes: number;
  readonly sizeBytes: number;
  readonly headerOffset: number;
  /** Offset of the entry in the file, for messages. */
  readonly offset: number;
}

export interface Directory {
  readonly entries: readonly DirectoryEntry[];
  readonly problems: readonly Problem[];
}

const entrySignature = 0x02014b50;
const fixedBytes = 46;
const absent32 = 0xffffffff;

interface Large {
  sizeBytes: number;
  storedBytes: number;
  headerOffset: number;
}

/**
 * Fills fields that are all ones from the zip64 extra field, in its order; false where it is too
 * short.
 */
function fillZip64(extra: Buffer, fields: Large): boolean {
  const wanted = (['sizeBytes', 'storedBytes', 'headerOffset'] as const).filter(
    (field) => fields[field] === absent32,
  );
  if (wanted.length === 0) return true;
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    const value = extra.subarray(at + 4, at + 4 + length);
    if (extra.readUInt16LE(at) === 1) {
      if (value.length < 8 * wanted.length) return false;
      for (const [i, field] of wanted.entries()) {
        fields[field] = Number(value.readBigUInt64LE(8 * i));
      }
      return true;
    }
    at += 4 + length;
  }
  return false;
}

function nameOf(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
}

/** One entry and the bytes it takes, or null where it breaks. */
function readEntry(
  bytes: Buffer,
  at: number,
  base: number,
): { entry: DirectoryEntry; length: number } | null {
  if (at + fixedBytes > bytes.length || bytes.readUInt32LE(at) !== entrySignature) return null;
  const nameLength = bytes.readUInt16LE(at + 28);
  const extraLength = bytes.readUInt16LE(at + 30);
  const length = fixedBytes + nameLength + extraLength + bytes.readUInt16LE(at + 32);
  if (at + length > bytes.length) return null;
  const nameBytes = bytes.subarray(at + fixedBytes, at + fixedBytes + nameLength);
  const extra = bytes.subarray(at + fixedBytes + nameLength).subarray(0, extraLength);
  const large: Large = {
    storedBytes: bytes.readUInt32LE(at + 20),
    sizeBytes: bytes.readUInt32LE(at + 24),
    headerOffset: bytes.readUInt32LE(at + 42),
  };
  if (!fillZip64(extra, large)) return null;
  const entry: DirectoryEntry = {
    fullName: nameOf(nameBytes),
    nameBytes,
    flags: bytes.readUInt16LE(at + 8),
    method: bytes.readUInt16LE(at + 10),
    crc32: bytes.readUInt32LE(at + 16),
    ...large,
    offset: base + at,
  };
  return { entry, length };
}

/**
 * Reads the whole directory; entries after the first broken one are not believed.
 * @throws LaikaError `limit-exceeded` for a directory past 128 MiB or a million members.
 */
export async function readDirectory(
  source: Source,
  file: string,
  end: EndRecord,
): Promise<Directory> {
  if (end.directoryBytes > maxDirectoryBytes) {
    throw tooMuch(file, `${end.directoryBytes} bytes; the limit is ${maxDirectoryBytes}`);
  }
  const bytes = Buffer.alloc(end.directoryBytes);
  await source.read(file, end.directoryOffset, bytes);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (entries.length >= maxMembers) {
      throw tooMuch(file, `it has more than ${maxMembers} members`);
    }
    const read = readEntry(bytes, at, end.directoryOffset);
    if (!read) {
      const message = `entry ${entries.length} of the archive's directory is broken`;
      return { entries: [], problems: [broken(file, end.directoryOffset + at, message)] };
    }
    entries.push(read.entry);
    at += read.length;
  }
  if (entries.length !== end.entries) {
    const message = `the archive promises ${end.entries} members and lists ${entries.length}`;
    return { entries, problems: [broken(file, end.directoryOffset, message)] };
  }
  return { entries, problems: [] };
}

function tooMuch(where: string, why: string): LaikaError {
  const what = 'The archive has a larger directory than Laika reads';
  return new LaikaError({ code: 'limit-exceeded', what, where, why });
}

function broken(file: string, offset: number, message: string): Problem {
  return { rule: 'header-invalid', kind: 'damage', file, offset, message };
}
