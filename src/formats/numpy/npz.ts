/** NumPy's own files: one array in a `.npy`, several in a `.npz` archive. */
import { Buffer } from 'node:buffer';
import type { Checkpoint, EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { isLaikaError, LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { escapeText } from '../pickle/preview.ts';
import { ProblemList } from '../problem-list.ts';
import { stepInName } from '../step-in-name.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { checksumOf, openZip, type ZipArchive, type ZipMember } from '../zip/zip-archive.ts';
import { readNpyArray } from './npy-array.ts';
import { anotherArray, readNpyFile } from './npy-file.ts';
import { isNpy } from './npy-header.ts';

export const npz: Format = {
  id: 'npz',
  title: 'NumPy: arrays one after another (.npy, Equinox’s .eqx), or an archive of them (.npz)',
  recognise,
  complete,
  open,
  // Archives are data sets as often as weights: a number in the name tells them apart.
  isOfRun: (sighting) => {
    const name = sighting.files[0]?.name ?? '';
    return stepInName(name) !== null && (!isSingle(sighting) || /\.eqx$/i.test(name));
  },
};

/** Deflate makes at most 1,032 bytes of one: whoever promises more does not mean deflate. */
const inflateMost = 1032;

function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file) return 'no';
  if (isNpy(head)) return 'certain';
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  const isArchive = bytes.length >= 30 && bytes.readUInt32LE(0) === 0x04034b50;
  const first = isArchive ? bytes.toString('latin1', 30, 30 + bytes.readUInt16LE(26)) : '';
  if (first.endsWith('.npy')) return 'certain';
  return /\.np[yz]$/i.test(file.name) ? 'named' : 'no';
}

function isSingle({ head, files }: Sighting): boolean {
  return isNpy(head) || /\.npy$/i.test(files[0]?.name ?? '');
}

async function complete(sighting: Sighting): Promise<boolean> {
  const { source, files } = sighting;
  const file = files[0] as SourceFile;
  if (!isSingle(sighting)) return isArchiveEnded(source, file);
  return (await readNpyFile(source, file)).isWhole;
}

interface Contents {
  readonly tensors: readonly Tensor[];
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { source } = sighting;
  const { name, sizeBytes, identity } = sighting.files[0] as SourceFile;
  const contents = isSingle(sighting)
    ? await singleContents(source, sighting.files[0] as SourceFile)
    : await new ArchiveReader(source, name, sizeBytes).read();
  return {
    path: source.path,
    layout: 'npz',
    step: null,
    complete: contents.isWhole,
    files: [{ name, sizeBytes, identity }],
    tensors: contents.tensors,
    optimizers: [],
    frozen: [],
    tied: [],
    hasScheduler: false,
    checksums: contents.checksums,
    encoded: contents.encoded,
    problems: contents.problems,
  };
}

async function singleContents(source: Source, file: SourceFile): Promise<Contents> {
  return { ...(await readNpyFile(source, file)), encoded: [], checksums: [] };
}

class ArchiveReader {
  readonly #source: Source;
  readonly #file: string;
  readonly #sizeBytes: number;
  readonly #problems = new ProblemList();
  readonly #checksums: StoredChecksum[] = [];

  constructor(source: Source, file: string, sizeBytes: number) {
    this.#source = source;
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  async read(): Promise<Contents> {
    const [file, sizeBytes] = [this.#file, this.#sizeBytes];
    const archive = await openZip(this.#source, { file, sizeBytes, folder: 'none' });
    this.#problems.addAll(archive.problems);
    const members = archive.readable ? [...archive.members.values()] : [];
    const arrays = members.filter(({ name }) => name.endsWith('.npy'));
    if (arrays.length === 0 && archive.problems.length === 0) throw this.#foreign(members.length);
    this.#noteOthers(members.length - arrays.length);
    const encoded = arrays.flatMap((member) => this.#encodedOf(member) ?? []);
    const names = new Set(encoded.map(({ name }) => name));
    const source = decodedSource(this.#source, encoded);
    const tensors: Tensor[] = [];
    for (const member of arrays) {
      if (member.compressed && !names.has(this.#encodedName(member))) continue;
      this.#keepChecksum(archive, member);
      const tensor = await this.#array(source, member);
      if (tensor) tensors.push(tensor);
    }
    return {
      tensors,
      encoded,
      checksums: this.#checksums,
      problems: this.#problems.toArray(),
      isWhole: archive.readable,
    };
  }

  #foreign(members: number): LaikaError {
    return new LaikaError({
      code: 'not-a-checkpoint',
      what: 'This is no checkpoint',
      where: this.#source.path,
      why: members === 0 ? 'the archive is empty' : 'it is a zip archive without NumPy arrays',
      next: 'name the file that the trainer saved',
    });
  }

  #noteOthers(others: number): void {
    if (others <= 0) return;
    const message = `${others} members of the archive are no arrays and were not read`;
    this.#problems.add({ rule: 'note', kind: 'info', file: this.#file, message });
  }

  #encodedName({ fullName }: ZipMember): string {
    return `${this.#file}!${fullName}`;
  }

  /** Null: stored as it is, or promised larger than it can be, which is listed. */
  #encodedOf(member: ZipMember): EncodedFile | null {
    const { compressed, payloadOffset: offset, storedBytes, sizeBytes } = member;
    if (!compressed) return null;
    if (sizeBytes > inflateMost * (storedBytes + 1)) {
      const name = escapeText(member.fullName);
      const message = `'${name}' would inflate from ${storedBytes} to ${sizeBytes} bytes`;
      const file = this.#file;
      this.#problems.add({ rule: 'compression-bomb', kind: 'security', file, offset, message });
      return null;
    }
    const name = this.#encodedName(member);
    return { name, file: this.#file, offset, storedBytes, codec: 'deflate', sizeBytes };
  }

  #keepChecksum(archive: ZipArchive, member: ZipMember): void {
    if (!member.compressed) {
      const stored = checksumOf(archive, member);
      if (stored) this.#checksums.push(stored);
      return;
    }
    const { sizeBytes: length, crc32: expected } = member;
    const file = this.#encodedName(member);
    const shown = escapeText(member.fullName);
    this.#checksums.push({ kind: 'crc32', file, member: shown, offset: 0, length, expected });
  }

  async #array(source: Source, member: ZipMember): Promise<Tensor | null> {
    const place = member.compressed
      ? { file: this.#encodedName(member), offset: 0, sizeBytes: member.sizeBytes }
      : { file: this.#file, offset: member.payloadOffset, sizeBytes: member.sizeBytes };
    const name = member.fullName.replace(/\.npy$/, '');
    try {
      const as = { name, listedIn: this.#file };
      const { tensor, problems, next } = await readNpyArray(source, place, as);
      this.#problems.addAll(problems);
      if (next !== null) this.#problems.add(anotherArray(as));
      return tensor;
    } catch (error) {
      if (!isLaikaError(error, 'bytes-damaged')) throw error;
      const message = `'${escapeText(member.fullName)}' cannot be inflated: ${error.details.why}`;
      const offset = member.payloadOffset;
      this.#problems.add({
        rule: 'header-invalid',
        kind: 'damage',
        file: this.#file,
        offset,
        message,
      });
      return null;
    }
  }
}
