/** An archive of torch.save: its members checked, its pickle read as data, its tensors listed. */
import type { StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { maxMemoryBytes, maxPickleBytes, memoryPerMember } from '../pickle/limits.ts';
import { pickleLimit } from '../pickle/machine.ts';
import { pickleProblems } from '../pickle/pickle-problems.ts';
import { readPickle } from '../pickle/read-pickle.ts';
import type { PickleValue } from '../pickle/values.ts';
import { ProblemList } from '../problem-list.ts';
import {
  bombProblem,
  checksumOf,
  openZip,
  readMember,
  type ZipArchive,
  type ZipMember,
} from '../zip/zip-archive.ts';
import { findHiddenPickles } from './hidden-pickles.ts';
import { inflateTensors } from './inline-tensors.ts';
import { maxSmallMemberBytes } from './limits.ts';
import { listTensors } from './list-tensors.ts';
import { contradictsFold } from './serialization-id.ts';
import { Storages } from './storages.ts';
import type { TorchFile } from './torch-file.ts';

interface Reading {
  readonly source: Source;
  readonly archive: ZipArchive;
  readonly problems: ProblemList;
  /** Members whose checksum was found wrong: they are not verified again. */
  readonly failed: Set<string>;
}

function unread(archive: ZipArchive, problems: readonly Problem[]): TorchFile {
  return {
    root: undefined,
    containers: [],
    tensors: [],
    byPath: new Map(),
    places: new Map(),
    parts: new Map(),
    tied: [],
    checksums: checksumsOf(archive, new Set()),
    problems,
    archiveName: archive.prefix,
    isWhole: false,
    isForeign: archive.isForeign,
  };
}

function checksumsOf(archive: ZipArchive, failed: ReadonlySet<string>): StoredChecksum[] {
  return [...archive.members.values()].flatMap((member) => {
    return failed.has(member.name) ? [] : (checksumOf(archive, member) ?? []);
  });
}

/** A few bytes of text, or null where they are not there. */
async function readSmall(reading: Reading, name: string): Promise<string | null> {
  const { source, archive, problems, failed } = reading;
  const member = archive.members.get(name);
  if (!member || member.sizeBytes > maxSmallMemberBytes) return null;
  const { bytes, problem } = await readMember(source, archive, member);
  if (problem) {
    problems.add(problem);
    failed.add(name);
  }
  return bytes && new TextDecoder('latin1').decode(bytes);
}

function note(archive: ZipArchive, message: string): Problem {
  return { rule: 'note', kind: 'info', file: archive.file, message };
}

/** torch's own marks; true: elements are stored big-endian. */
async function readMarks(reading: Reading): Promise<boolean> {
  const { archive, problems } = reading;
  for (const name of ['version', '.format_version', '.storage_alignment']) {
    await readSmall(reading, name);
  }
  const id = await readSmall(reading, '.data/serialization_id');
  if (id !== null && contradictsFold(id, archive.listed)) {
    const message =
      'the archive was rewritten after torch saved it: its id does not fit its members';
    problems.add(note(archive, message));
  }
  const order = await readSmall(reading, 'byteorder');
  if (order !== null && order !== 'little' && order !== 'big') {
    const offset = archive.members.get('byteorder')?.payloadOffset ?? 0;
    const message = 'the byte order is neither little nor big';
    problems.add({ rule: 'header-invalid', kind: 'damage', file: archive.file, offset, message });
  }
  return order === 'big';
}

/** Storages without a checksum in an archive that has them: torch's skip_data left holes. */
function wereStoragesSkipped(archive: ZipArchive): boolean {
  const pickle = archive.members.get('data.pkl');
  if (!pickle || pickle.crc32 === 0) return false;
  const storages = archive.listed.filter(
    ({ name, sizeBytes }) => name.startsWith('data/') && sizeBytes > 0,
  );
  return storages.length > 0 && storages.every(({ crc32 }) => crc32 === 0);
}

function noteOddities(reading: Reading, skipped: boolean): void {
  const { archive, problems } = reading;
  const members = [...archive.members.values()];
  const compressed = members.filter((member) => member.compressed);
  for (const member of compressed) {
    const bomb = bombProblem(archive, member);
    if (bomb) problems.add(bomb);
  }
  if (compressed.length > 0) {
    const message = `${compressed.length} members are compressed, which torch.save never does`;
    problems.add(note(archive, message));
  }
  if (archive.withoutChecksums && members.some(({ sizeBytes }) => sizeBytes > 0)) {
    problems.add(note(archive, 'the file was saved without checksums'));
  }
  if (skipped) problems.add(note(archive, 'the file was saved without the values of its tensors'));
}

interface Pickle {
  readonly root: PickleValue | undefined;
  /**
   * Its bytes are not those that were written, or it asks for code: a limit that it passes is no
   * news.
   */
  readonly isSuspect: boolean;
}

async function readRoot(reading: Reading, member: ZipMember): Promise<Pickle> {
  const { source, archive, problems, failed } = reading;
  if (member.sizeBytes > maxPickleBytes && !bombProblem(archive, member)) {
    throw pickleLimit(archive.file, `its pickle is longer than ${maxPickleBytes} bytes`);
  }
  const { bytes, problem } = await readMember(source, archive, member);
  // A bomb was told already.
  if (problem && problem.rule !== 'compression-bomb') problems.add(problem);
  if (problem) failed.add(member.name);
  if (!bytes) return { root: undefined, isSuspect: true };
  try {
    const most = maxMemoryBytes + archive.members.size * memoryPerMember;
    const pickle = readPickle(bytes, archive.file, { memory: most - bytes.length });
    const found = pickleProblems(pickle, {
      file: archive.file,
      offset: member.compressed ? null : member.payloadOffset,
      sizeBytes: bytes.length,
    });
    problems.addAll(found);
    const isSuspect = problem !== null || found.some(({ kind }) => kind === 'security');
    return { root: pickle.value, isSuspect };
  } catch (error) {
    if (problem && isLaikaError(error, 'limit-exceeded'))
      return { root: undefined, isSuspect: true };
    throw error;
  }
}

/**
 * Reads the archive in `file`, of which `sizeBytes` are there. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readTorchArchive(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<TorchFile> {
  const archive = await openZip(source, { file, sizeBytes, folder: 'shared' });
  const problems = new ProblemList();
  problems.addAll(archive.problems);
  const member = archive.members.get('data.pkl');
  if (!archive.readable || !member) return unread(archive, problems.toArray());
  const reading: Reading = { source, archive, problems, failed: new Set() };
  const bigEndian = await readMarks(reading);
  const skipped = wereStoragesSkipped(archive);
  noteOddities(reading, skipped);
  const { root, isSuspect } = await readRoot(reading, member);
  if (root === undefined) return unread(archive, problems.toArray());
  const storages = new Storages(archive, skipped);
  const found = listTensors(root, storages, { file, bigEndian, isSuspect });
  problems.addAll(found.problems);
  problems.addAll(await inflateTensors(source, archive, found.compressed));
  problems.addAll(await findHiddenPickles(source, archive, storages.used));
  return {
    root,
    ...found.listed,
    // A name without its values is no tensor: nothing about it may be believed.
    ...(skipped ? { tensors: [], byPath: new Map(), tied: [] } : {}),
    checksums: checksumsOf(archive, reading.failed),
    problems: problems.toArray(),
    archiveName: archive.prefix,
    isWhole: !skipped,
    isForeign: false,
  };
}
