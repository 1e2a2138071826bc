/**
 * Members that no tensor refers to: stale storages, mostly; a pickle among them is hidden on
 * purpose.
 */

import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { escapeText } from '../pickle/preview.ts';
import { type PickleReading, readPickle } from '../pickle/read-pickle.ts';
import type { ZipArchive, ZipMember } from '../zip/zip-archive.ts';
import { maxHiddenPickleBytes, maxHiddenTotalBytes } from './limits.ts';

/** What torch writes besides storages. */
const structural = new Set([
  'data.pkl',
  'version',
  'byteorder',
  '.format_version',
  '.storage_alignment',
  '.data/serialization_id',
]);

/** TorchScript keeps its sources, and tensors that its code uses, in members of their own. */
function isTorchScript(name: string): boolean {
  return name.startsWith('code/') || name.startsWith('constants') || name.startsWith('extra/');
}

function tryPickle(bytes: Uint8Array, where: string): PickleReading | null {
  try {
    return readPickle(bytes, where);
  } catch (error) {
    if (isLaikaError(error, 'limit-exceeded')) return null;
    throw error;
  }
}

/** Numbers can look like the beginning of a pickle: it must say that it is one, or end properly. */
function isPickle(bytes: Uint8Array, reading: PickleReading): boolean {
  const declared = bytes[0] === 0x80;
  const ended = reading.fault === null;
  const asks = reading.calls.some(({ kind }) => kind === 'code');
  return (declared && ended) || (asks && (declared || ended));
}

function problemOf(archive: ZipArchive, member: ZipMember, reading: PickleReading): Problem {
  const code = reading.calls.find(({ kind }) => kind === 'code');
  const name = `'${escapeText(member.fullName)}'`;
  const message = `the member ${name}, which no tensor refers to, holds a pickle`;
  return {
    rule: 'code-in-pickle',
    kind: 'security',
    file: archive.file,
    offset: member.payloadOffset + (code?.offset ?? 0),
    message: code ? `${message} that ${code.message}` : message,
  };
}

function unusedMembers(archive: ZipArchive, used: ReadonlySet<string>): ZipMember[] {
  return [...archive.members.values()].filter(({ name }) => {
    if (structural.has(name) || name.startsWith('code/')) return false;
    return !(name.startsWith('data/') && used.has(name.slice('data/'.length)));
  });
}

/** `used`: keys of the storages that tensors refer to. */
export async function findHiddenPickles(
  source: Source,
  archive: ZipArchive,
  used: ReadonlySet<string>,
): Promise<Problem[]> {
  const unused = unusedMembers(archive, used);
  const problems: Problem[] = [];
  let left = maxHiddenTotalBytes;
  for (const member of unused) {
    const length = Math.min(member.storedBytes, maxHiddenPickleBytes, left);
    if (member.compressed || length === 0) continue;
    left -= length;
    const bytes = new Uint8Array(length);
    await source.read(archive.file, member.payloadOffset, bytes);
    const reading = tryPickle(bytes, archive.file);
    if (!reading || !isPickle(bytes, reading)) continue;
    const asksForCode = reading.calls.some(({ kind }) => kind === 'code');
    if (asksForCode || !isTorchScript(member.name))
      problems.push(problemOf(archive, member, reading));
  }
  const stale = unused.filter(({ name }) => name.startsWith('data/'));
  if (stale.length > 0) {
    const bytes = stale.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const message = `${stale.length} storages of ${bytes} bytes belong to no tensor`;
    problems.push({ rule: 'note', kind: 'info', file: archive.file, message });
  }
  return problems;
}
