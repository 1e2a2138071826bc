/**
 * Compares each member's own header with the central directory. torch reads by the directory,
 * streaming unpackers by the local headers: where they differ, a scanner and a loader see different
 * files.
 */
import { Buffer } from 'node:buffer';
import type { Problem, ProblemRule } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { type ByteRange, readRanges } from '../coalesced-reads.ts';
import { escapeText } from '../pickle/preview.ts';
import type { DirectoryEntry } from './directory.ts';

/** A member whose bytes were located. */
export interface Located {
  readonly entry: DirectoryEntry;
  readonly payloadOffset: number;
}

export interface Location {
  readonly located: ReadonlyMap<DirectoryEntry, Located>;
  readonly problems: readonly Problem[];
  /** Members share bytes. */
  readonly overlapping: boolean;
}

const localSignature = 0x04034b50;
const descriptorSignature = 0x08074b50;
const fixedBytes = 30;
/** A data descriptor with 8-byte sizes. */
const longDescriptorBytes = 24;
const descriptorFlag = 0x0008;
const encryptionFlags = 0x2041;
const absent32 = 0xffffffff;

interface HeaderRange extends ByteRange {
  readonly entry: DirectoryEntry;
}

interface Context {
  readonly file: string;
  /** First byte of the central directory: members lie before it. */
  readonly limit: number;
  readonly problems: Problem[];
}

function report(
  context: Context,
  entry: DirectoryEntry,
  found: { rule: ProblemRule; kind: Problem['kind']; why: string },
): void {
  const name = escapeText(entry.fullName.slice(0, 200));
  context.problems.push({
    rule: found.rule,
    kind: found.kind,
    file: context.file,
    offset: entry.headerOffset,
    message: `the member '${name}' ${found.why}`,
  });
}

function damaged(context: Context, entry: DirectoryEntry, why: string): void {
  report(context, entry, { rule: 'header-invalid', kind: 'damage', why });
}

function contradicted(context: Context, entry: DirectoryEntry, what: string): void {
  const why = `has another ${what} in its own header than in the directory`;
  report(context, entry, { rule: 'ambiguous-archive', kind: 'security', why });
}

/** What the directory says of one member by itself; false where its bytes cannot be located. */
function checkEntry(context: Context, entry: DirectoryEntry): boolean {
  if (entry.headerOffset + fixedBytes + entry.nameBytes.length > context.limit) {
    damaged(context, entry, `begins at ${entry.headerOffset}, past the end of the members`);
    return false;
  }
  if ((entry.flags & encryptionFlags) !== 0) {
    const why = 'is marked as encrypted: readers disagree what it holds';
    report(context, entry, { rule: 'ambiguous-archive', kind: 'security', why });
    return false;
  }
  if (entry.method !== 0 && entry.method !== 8) {
    damaged(context, entry, `is compressed by the unknown method ${entry.method}`);
    return false;
  }
  if (entry.method === 0 && entry.storedBytes !== entry.sizeBytes) {
    damaged(
      context,
      entry,
      `is stored in ${entry.storedBytes} bytes and promises ${entry.sizeBytes}`,
    );
    return false;
  }
  return true;
}

/**
 * Checksum and sizes, where the local header has them: with a descriptor it may leave them zero.
 */
function checkNumbers(context: Context, entry: DirectoryEntry, header: Buffer): void {
  const later = (entry.flags & descriptorFlag) !== 0;
  const fields = [
    ['checksum', header.readUInt32LE(14), entry.crc32],
    ['stored size', header.readUInt32LE(18), entry.storedBytes],
    ['size', header.readUInt32LE(22), entry.sizeBytes],
  ] as const;
  for (const [what, local, central] of fields) {
    if (local === central || (later && local === 0)) continue;
    // zip64 keeps sizes in the extra field; torch leaves the stored one zero even there.
    if (what !== 'checksum' && (local === absent32 || central >= absent32)) continue;
    contradicted(context, entry, what);
    return;
  }
}

/** Checks one local header and says where its payload begins; null where that is not known. */
function checkLocal(context: Context, entry: DirectoryEntry, header: Buffer): number | null {
  if (header.readUInt32LE(0) !== localSignature) {
    damaged(context, entry, 'has no header of its own');
    return null;
  }
  const nameLength = header.readUInt16LE(26);
  const name = header.subarray(fixedBytes);
  if (nameLength !== entry.nameBytes.length || !name.equals(entry.nameBytes)) {
    contradicted(context, entry, 'name');
  } else if (header.readUInt16LE(8) !== entry.method) {
    contradicted(context, entry, 'method');
  } else if (header.readUInt16LE(6) !== entry.flags) {
    contradicted(context, entry, 'set of flags');
  } else {
    checkNumbers(context, entry, header);
  }
  const payload = entry.headerOffset + fixedBytes + nameLength + header.readUInt16LE(28);
  if (payload + entry.storedBytes > context.limit) {
    damaged(context, entry, `promises ${entry.storedBytes} bytes, more than the file has for it`);
    return null;
  }
  return payload;
}

/**
 * Length of the data descriptor: 0 where there is none, null where it contradicts the directory.
 */
function descriptorLength(entry: DirectoryEntry, bytes: Buffer): number | null {
  if ((entry.flags & descriptorFlag) === 0) return 0;
  const signed = bytes.length >= 4 && bytes.readUInt32LE(0) === descriptorSignature;
  const body = bytes.subarray(signed ? 4 : 0);
  const start = signed ? 4 : 0;
  if (body.length < 12 || body.readUInt32LE(0) !== entry.crc32) return null;
  if (body.readUInt32LE(4) === entry.storedBytes && body.readUInt32LE(8) === entry.sizeBytes) {
    return start + 12;
  }
  if (body.length < 20) return null;
  const stored = body.readBigUInt64LE(4) === BigInt(entry.storedBytes);
  return stored && body.readBigUInt64LE(12) === BigInt(entry.sizeBytes) ? start + 20 : null;
}

function reportDescriptor(context: Context, entry: DirectoryEntry, tail: Buffer): void {
  // Without its signature it is no second opinion, but damage.
  if (tail.length < 4 || tail.readUInt32LE(0) !== descriptorSignature) {
    damaged(context, entry, 'is not followed by the descriptor that it announces');
    return;
  }
  const why = 'has other sizes or another checksum after its bytes than in the directory';
  report(context, entry, { rule: 'ambiguous-archive', kind: 'security', why });
}

async function locatePayloads(
  source: Source,
  context: Context,
  entries: readonly DirectoryEntry[],
): Promise<Located[]> {
  const ranges: HeaderRange[] = entries
    .filter((entry) => checkEntry(context, entry))
    .map((entry) => ({
      entry,
      offset: entry.headerOffset,
      length: fixedBytes + entry.nameBytes.length,
    }))
    .sort((a, b) => a.offset - b.offset);
  const located: Located[] = [];
  await readRanges({ source, file: context.file }, ranges, ({ entry }, bytes) => {
    const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const payloadOffset = checkLocal(context, entry, header);
    if (payloadOffset !== null) located.push({ entry, payloadOffset });
  });
  return located;
}

/** Reads what follows each payload; gives the byte after each member. */
async function findEnds(
  source: Source,
  context: Context,
  located: readonly Located[],
): Promise<Map<DirectoryEntry, number>> {
  const ranges = located
    .map(({ entry, payloadOffset }) => {
      const offset = payloadOffset + entry.storedBytes;
      return { entry, offset, length: Math.min(longDescriptorBytes, context.limit - offset) };
    })
    .sort((a, b) => a.offset - b.offset);
  const ends = new Map<DirectoryEntry, number>();
  await readRanges({ source, file: context.file }, ranges, ({ entry, offset }, bytes) => {
    const tail = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = descriptorLength(entry, tail);
    if (length === null) reportDescriptor(context, entry, tail);
    ends.set(entry, offset + (length ?? 0));
  });
  return ends;
}

/** Locates every member's bytes before `limit`, the start of the central directory. */
export async function locateMembers(
  from: { source: Source; file: string; limit: number },
  entries: readonly DirectoryEntry[],
): Promise<Location> {
  const context: Context = { file: from.file, limit: from.limit, problems: [] };
  const located = await locatePayloads(from.source, context, entries);
  const ends = await findEnds(from.source, context, located);
  let overlapping = false;
  for (let i = 1; i < located.length; i += 1) {
    const [before, after] = [located[i - 1] as Located, located[i] as Located];
    if ((ends.get(before.entry) as number) <= after.entry.headerOffset) continue;
    overlapping = true;
    const why = `shares bytes with '${escapeText(before.entry.fullName.slice(0, 200))}'`;
    report(context, after.entry, { rule: 'ambiguous-archive', kind: 'security', why });
    break;
  }
  const byEntry = new Map(located.map((each) => [each.entry, each]));
  return { located: byEntry, problems: context.problems, overlapping };
}
