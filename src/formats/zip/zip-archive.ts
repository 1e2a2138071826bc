/**
 * An archive that was opened and checked: where each member's bytes lie, and which checksum covers
 * them.
 */
import { Buffer } from 'node:buffer';
import { crc32, inflateRawSync } from 'node:zlib';
import type { StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { escapeText } from '../pickle/preview.ts';
import { readDirectory } from './directory.ts';
import { findEndRecord } from './end-record.ts';
import { freeInflateBytes, maxInflateRatio } from './limits.ts';
import { locateMembers } from './local-headers.ts';
import { type ArchiveFolder, nameEntries } from './member-names.ts';

export interface ZipMember {
  /** Below the archive's folder: `data/0`. */
  readonly name: string;
  readonly fullName: string;
  readonly compressed: boolean;
  /** CRC-32 of the inflated bytes as the directory has it; 0 may mean that none was taken. */
  readonly crc32: number;
  readonly storedBytes: number;
  readonly sizeBytes: number;
  /** First byte of the stored bytes in the file. */
  readonly payloadOffset: number;
}

export interface ZipArchive {
  readonly file: string;
  /** False: nothing in the archive can be read; `problems` says why. */
  readonly readable: boolean;
  /** An archive in good order that holds no `data.pkl`: a document, a package, another format. */
  readonly isForeign: boolean;
  readonly prefix: string;
  /** In the order of the directory, which is the order of writing. */
  readonly members: ReadonlyMap<string, ZipMember>;
  /** Sizes and checksums of every entry in that order, also of those that could not be located. */
  readonly listed: readonly { name: string; sizeBytes: number; crc32: number }[];
  /** No member has a checksum: the writer switched them off. */
  readonly withoutChecksums: boolean;
  readonly problems: readonly Problem[];
}

function unreadable(file: string, problems: readonly Problem[]): ZipArchive {
  const members = new Map<string, ZipMember>();
  return {
    file,
    readable: false,
    isForeign: false,
    prefix: '',
    members,
    listed: [],
    withoutChecksums: false,
    problems,
  };
}

export interface ArchiveFile {
  readonly file: string;
  readonly sizeBytes: number;
  readonly folder: ArchiveFolder;
}

/**
 * Opens the archive in `file`, of which `sizeBytes` are there.
 * @throws LaikaError `limit-exceeded`, and what `Source.read` throws.
 */
export async function openZip(
  source: Source,
  { file, sizeBytes, folder }: ArchiveFile,
): Promise<ZipArchive> {
  const search = await findEndRecord(source, file, sizeBytes);
  if (!search.end) return unreadable(file, search.problems);
  const directory = await readDirectory(source, file, search.end);
  const names = nameEntries(file, directory.entries, folder);
  const entries = [...names.entries.values()];
  const limit = search.end.directoryOffset;
  const location = await locateMembers({ source, file, limit }, entries);
  const problems = [
    ...search.problems,
    ...directory.problems,
    ...names.problems,
    ...location.problems,
  ];
  const members = new Map<string, ZipMember>();
  for (const [name, entry] of names.entries) {
    const place = location.located.get(entry);
    if (!place) continue;
    const { fullName, storedBytes, payloadOffset } = { ...entry, ...place };
    const { sizeBytes: size, crc32: checksum, method } = entry;
    const compressed = method === 8;
    members.set(name, {
      name,
      fullName,
      compressed,
      crc32: checksum,
      storedBytes,
      sizeBytes: size,
      payloadOffset,
    });
  }
  const listsPickle = directory.entries.some(({ fullName }) => /^[^/]+\/data\.pkl$/.test(fullName));
  const listed = [...names.entries].map(([name, entry]) => ({
    name,
    sizeBytes: entry.sizeBytes,
    crc32: entry.crc32,
  }));
  return {
    file,
    // Where two readers would open different bytes, neither reading is worth showing.
    readable: !names.ambiguous && !location.overlapping,
    isForeign: !listsPickle && directory.problems.length + location.problems.length === 0,
    prefix: names.prefix,
    members,
    listed,
    withoutChecksums: listed.every((each) => each.crc32 === 0),
    problems,
  };
}

/**
 * The checksum of a member as the engine verifies it; null where there is none over the stored
 * bytes.
 */
export function checksumOf(archive: ZipArchive, member: ZipMember): StoredChecksum | null {
  if (member.compressed) return null;
  // torch's skip_data and its switch leave zero; no bytes have the true checksum zero.
  if (member.crc32 === 0 && member.sizeBytes > 0) return null;
  return {
    kind: 'crc32',
    file: archive.file,
    member: escapeText(member.fullName),
    offset: member.payloadOffset,
    length: member.storedBytes,
    expected: member.crc32,
  };
}

export interface MemberBytes {
  /** Null: they could not be had; `problem` says why. */
  readonly bytes: Uint8Array | null;
  readonly problem: Problem | null;
}

function failed(
  archive: ZipArchive,
  member: ZipMember,
  found: Pick<Problem, 'rule' | 'kind' | 'message'>,
): MemberBytes {
  const offset = member.payloadOffset;
  return { bytes: null, problem: { ...found, file: archive.file, offset } };
}

/** Is what the member promises more than deflate makes of honest data? */
function isBomb(member: ZipMember): boolean {
  const plausible = Math.max(freeInflateBytes, maxInflateRatio * member.storedBytes);
  return member.compressed && member.sizeBytes > plausible;
}

function inflate(archive: ZipArchive, member: ZipMember, stored: Uint8Array): MemberBytes {
  const name = `'${escapeText(member.fullName)}'`;
  try {
    const bytes = inflateRawSync(stored, { maxOutputLength: Math.max(1, member.sizeBytes) });
    if (bytes.length === member.sizeBytes) return { bytes, problem: null };
    const message = `${name} inflates to ${bytes.length} bytes and promises ${member.sizeBytes}`;
    return failed(archive, member, { rule: 'header-invalid', kind: 'damage', message });
  } catch (error) {
    if (error instanceof RangeError) {
      const message = `${name} inflates past the ${member.sizeBytes} bytes that it promises`;
      return failed(archive, member, { rule: 'compression-bomb', kind: 'security', message });
    }
    const message = `the compressed bytes of ${name} are broken`;
    return failed(archive, member, { rule: 'header-invalid', kind: 'damage', message });
  }
}

/** Why a compressed member must not be inflated, or null. */
export function bombProblem(archive: ZipArchive, member: ZipMember): Problem | null {
  if (!isBomb(member)) return null;
  const message =
    `'${escapeText(member.fullName)}' would inflate from ${member.storedBytes} to ` +
    `${member.sizeBytes} bytes`;
  return failed(archive, member, { rule: 'compression-bomb', kind: 'security', message }).problem;
}

/**
 * Reads one member whole, inflated where it is compressed, and verifies its checksum: bytes with a
 * wrong one come with a problem. The caller has decided that `sizeBytes` is not too much.
 */
export async function readMember(
  source: Source,
  archive: ZipArchive,
  member: ZipMember,
): Promise<MemberBytes> {
  const bomb = bombProblem(archive, member);
  if (bomb) return { bytes: null, problem: bomb };
  if (member.compressed && member.storedBytes > 2 * member.sizeBytes + 1024) {
    const message = `'${escapeText(member.fullName)}' is larger compressed than it could be`;
    return failed(archive, member, { rule: 'header-invalid', kind: 'damage', message });
  }
  const stored = new Uint8Array(member.storedBytes);
  await source.read(archive.file, member.payloadOffset, stored);
  const read = member.compressed
    ? inflate(archive, member, stored)
    : { bytes: stored, problem: null };
  if (!read.bytes || (member.crc32 === 0 && member.sizeBytes > 0)) return read;
  const found = crc32(Buffer.from(read.bytes.buffer, read.bytes.byteOffset, read.bytes.length));
  if (found === member.crc32) return read;
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const message =
    `'${escapeText(member.fullName)}' has the CRC-32 ${hex(found)}, ` +
    `and ${hex(member.crc32)} was stored with it`;
  const problem: Problem = {
    rule: 'checksum-mismatch',
    kind: 'damage',
    file: archive.file,
    offset: member.payloadOffset,
    message,
  };
  return { bytes: read.bytes, problem };
}
