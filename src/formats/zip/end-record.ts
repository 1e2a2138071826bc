/**
 * Finds where an archive's central directory lies. Readers of zip files disagree about archives
 * with several end records, so every sign of a second one is a finding.
 */
import { Buffer } from 'node:buffer';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { tailBytes } from './limits.ts';

export interface EndRecord {
  readonly directoryOffset: number;
  readonly directoryBytes: number;
  readonly entries: number;
}

export interface EndSearch {
  /** Null: nothing of the archive can be trusted; `problems` says why. */
  readonly end: EndRecord | null;
  readonly problems: readonly Problem[];
}

const endSignature = Buffer.from('PK\x05\x06', 'latin1');
const localSignature = Buffer.from('PK\x03\x04', 'latin1');
const entrySignature = 0x02014b50;
const locatorSignature = 0x07064b50;
const zip64Signature = 0x06064b50;

/** The tail of the file, with the offset of its first byte. */
interface Tail {
  readonly bytes: Buffer;
  readonly start: number;
  readonly sizeBytes: number;
  readonly file: string;
  /** The file begins with a member: nothing was put before it. */
  readonly startsArchive: boolean;
}

interface Candidate {
  readonly end: EndRecord;
  /** First byte of the end records: where the directory must end. */
  readonly recordsOffset: number;
  /** Offset of the record itself, and of the byte after its comment. */
  readonly offset: number;
  readonly after: number;
  /** Why its fields cannot be right; null where nothing speaks against them. */
  readonly fault: string | null;
  /** The plain record and the zip64 record disagree. */
  readonly contradiction: boolean;
}

function header(file: string, offset: number, message: string): Problem {
  return { rule: 'header-invalid', kind: 'damage', file, offset, message };
}

function ambiguous(file: string, offset: number, message: string): Problem {
  return { rule: 'ambiguous-archive', kind: 'security', file, offset, message };
}

interface Zip64 {
  readonly end: EndRecord;
  readonly offset: number;
}

/** The zip64 record before a plain one: null where there is none, text where it is broken. */
function readZip64(tail: Tail, at: number): Zip64 | string | null {
  const { bytes, start } = tail;
  const locator = at - 20;
  if (locator < 0 || bytes.readUInt32LE(locator) !== locatorSignature) return null;
  const offset = bytes.readBigUInt64LE(locator + 8);
  const record = Number(offset) - start;
  if (offset > BigInt(start + locator) || record < 0 || record + 56 > locator) {
    return 'its zip64 record lies elsewhere';
  }
  if (bytes.readUInt32LE(record) !== zip64Signature) return 'its zip64 record is missing';
  if (bytes.readBigUInt64LE(record + 4) !== BigInt(locator - record - 12)) {
    return 'its zip64 record has a wrong length';
  }
  const [entries, size, place] = [32, 40, 48].map((field) => bytes.readBigUInt64LE(record + field));
  const end = {
    entries: Number(entries),
    directoryBytes: Number(size),
    directoryOffset: Number(place),
  };
  return { end, offset: Number(offset) };
}

function readCandidate(tail: Tail, at: number): Candidate {
  const { bytes, start } = tail;
  const offset = start + at;
  const plain: EndRecord = {
    entries: bytes.readUInt16LE(at + 10),
    directoryBytes: bytes.readUInt32LE(at + 12),
    directoryOffset: bytes.readUInt32LE(at + 16),
  };
  const after = offset + 22 + bytes.readUInt16LE(at + 20);
  const zip64 = readZip64(tail, at);
  if (typeof zip64 === 'string') {
    const rest = { recordsOffset: offset, offset, after, contradiction: false };
    return { end: plain, ...rest, fault: zip64 };
  }
  const end = zip64?.end ?? plain;
  const recordsOffset = zip64?.offset ?? offset;
  const contradiction =
    (plain.entries !== 0xffff && plain.entries !== end.entries) ||
    (plain.directoryBytes !== 0xffffffff && plain.directoryBytes !== end.directoryBytes) ||
    (plain.directoryOffset !== 0xffffffff && plain.directoryOffset !== end.directoryOffset);
  const reach = end.directoryOffset + end.directoryBytes;
  const fault = reach === recordsOffset ? null : describeReach(end, recordsOffset);
  return { end, recordsOffset, offset, after, fault, contradiction };
}

function describeReach(end: EndRecord, recordsOffset: number): string {
  const { directoryOffset, directoryBytes } = end;
  return (
    `the end record promises a directory of ${directoryBytes} bytes at ${directoryOffset}, ` +
    `and it should end at ${recordsOffset}`
  );
}

/** Bytes that were put before the archive shift it; null where that is not what happened. */
function shiftOf(tail: Tail, candidate: Candidate): number | null {
  const { end, recordsOffset } = candidate;
  if (tail.startsArchive) return null;
  const actual = recordsOffset - end.directoryBytes - tail.start;
  if (actual < 0 || actual + 4 > tail.bytes.length) return null;
  if (tail.bytes.readUInt32LE(actual) !== entrySignature) return null;
  const shift = actual + tail.start - end.directoryOffset;
  return shift > 0 ? shift : null;
}

function candidatesOf(tail: Tail): Candidate[] {
  const found: Candidate[] = [];
  let at = tail.bytes.lastIndexOf(endSignature);
  while (at >= 0) {
    if (at + 22 <= tail.bytes.length) found.push(readCandidate(tail, at));
    at = at === 0 ? -1 : tail.bytes.lastIndexOf(endSignature, at - 1);
  }
  return found;
}

function withoutEnd(tail: Tail, candidates: readonly Candidate[]): Problem[] {
  const { file, sizeBytes } = tail;
  const [last] = candidates;
  if (!last) {
    const message = 'the archive has no end record: the file ends early';
    return [{ rule: 'file-truncated', kind: 'damage', file, offset: sizeBytes, message }];
  }
  const shift = shiftOf(tail, last);
  if (shift !== null) {
    return [header(file, 0, `the archive begins ${shift} bytes later than it says`)];
  }
  return [
    header(file, last.offset, `the archive's directory is not where it should be: ${last.fault}`),
  ];
}

/** What follows the end record, or hides in its comment. */
function afterEnd(tail: Tail, chosen: Candidate): Problem[] {
  const { file, bytes, start, sizeBytes } = tail;
  const rest = bytes.subarray(chosen.offset + 22 - start);
  if (rest.includes(endSignature) || rest.includes(localSignature)) {
    const message =
      'another archive follows the end of this one: two readers would open different ones';
    return [ambiguous(file, chosen.offset + 22, message)];
  }
  if (chosen.after < sizeBytes) {
    const message = `${sizeBytes - chosen.after} bytes follow the end of the archive`;
    return [{ rule: 'trailing-bytes', kind: 'damage', file, offset: chosen.after, message }];
  }
  if (chosen.after > sizeBytes) {
    const message = 'the file ends inside the comment of its archive';
    return [{ rule: 'file-truncated', kind: 'damage', file, offset: sizeBytes, message }];
  }
  return [];
}

/** Looks for the last end record whose directory ends exactly where it begins. */
export async function findEndRecord(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<EndSearch> {
  const start = Math.max(0, sizeBytes - tailBytes);
  const bytes = Buffer.alloc(sizeBytes - start);
  await source.read(file, start, bytes);
  const head = Buffer.alloc(Math.min(4, sizeBytes));
  await source.read(file, 0, head);
  const tail: Tail = { bytes, start, sizeBytes, file, startsArchive: head.equals(localSignature) };
  const candidates = candidatesOf(tail);
  const chosen = candidates.find((candidate) => candidate.fault === null);
  if (!chosen) return { end: null, problems: withoutEnd(tail, candidates) };
  const problems = afterEnd(tail, chosen);
  if (chosen.contradiction) {
    const message = 'the archive has two end records that disagree about its directory';
    problems.push(ambiguous(file, chosen.offset, message));
  }
  return { end: chosen.end, problems };
}

/** The directory is written last: an archive whose end is there was written to its end. */
export async function isArchiveEnded(
  source: Source,
  { name, sizeBytes }: SourceFile,
): Promise<boolean> {
  const { end, problems } = await findEndRecord(source, name, sizeBytes);
  return end !== null && !problems.some(({ rule }) => rule === 'file-truncated');
}
