/** Archives of Keras 3 (`.keras`): a configuration, and the weights as an HDF5 file inside. */
import { Buffer } from 'node:buffer';
import type { Checkpoint, EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { escapeText } from '../pickle/preview.ts';
import { ProblemList } from '../problem-list.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import {
  bombProblem,
  checksumOf,
  openZip,
  readMember,
  type ZipArchive,
  type ZipMember,
} from '../zip/zip-archive.ts';
import { type KerasConfig, noConfig, readKerasConfig } from './keras-config.ts';
import { type KerasContents, readKerasContents } from './keras-contents.ts';

export const kerasArchive: Format = {
  id: 'keras-v3',
  title: 'Keras 3: an archive of a model (.keras)',
  recognise,
  complete: async ({ source, files }) => isArchiveEnded(source, files[0] as SourceFile),
  open,
};

const weightsName = 'model.weights.h5';
const configName = 'config.json';

/** Configurations of large models take some megabytes. */
const configMost = 2 ** 26;

/** A compressed member is read from many places, so it is kept in memory. */
const inflatedMost = 2 ** 28;

function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file) return 'no';
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  const isArchive = bytes.length >= 30 && bytes.readUInt32LE(0) === 0x04034b50;
  const first = isArchive ? bytes.toString('latin1', 30, 30 + bytes.readUInt16LE(26)) : '';
  const isNamed = /\.keras$/i.test(file.name);
  if (first === weightsName || (isNamed && isArchive)) return 'certain';
  return isNamed ? 'named' : 'no';
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const { name, sizeBytes, identity } = files[0] as SourceFile;
  const archive = await openZip(source, { file: name, sizeBytes, folder: 'none' });
  const reader = new ArchiveReader(source, archive);
  const contents = await reader.read();
  return {
    path: source.path,
    layout: 'keras-v3',
    step: contents?.step ?? null,
    complete: archive.readable && contents?.isWhole === true,
    files: [{ name, sizeBytes, identity }],
    tensors: contents?.tensors ?? [],
    optimizers: contents?.optimizers ?? [],
    frozen: [],
    tied: [],
    // A callback may have moved the rate between two checkpoints; the files do not say.
    hasScheduler: true,
    checksums: reader.checksums,
    encoded: reader.encoded,
    problems: [...archive.problems, ...reader.problems.toArray()],
  };
}

class ArchiveReader {
  readonly #source: Source;
  readonly #archive: ZipArchive;
  readonly problems = new ProblemList();
  readonly checksums: StoredChecksum[] = [];
  readonly encoded: EncodedFile[] = [];

  constructor(source: Source, archive: ZipArchive) {
    this.#source = source;
    this.#archive = archive;
  }

  /** Null: the archive holds nothing that can be read; `problems` says why. */
  async read(): Promise<KerasContents | null> {
    const archive = this.#archive;
    if (!archive.readable) return null;
    const weights = archive.members.get(weightsName);
    if (!weights && archive.problems.length === 0 && !archive.members.has(configName)) {
      throw foreign(this.#source.path);
    }
    const config = await this.#config();
    this.problems.addAll(config.problems);
    if (!weights) {
      const message = `the archive holds no ${weightsName}`;
      this.problems.add({ rule: 'tensor-missing', kind: 'damage', file: archive.file, message });
      return null;
    }
    const bomb = bombProblem(archive, weights);
    if (bomb) this.problems.add(bomb);
    return bomb ? null : this.#weights(weights, { ...config, problems: [] });
  }

  async #config(): Promise<KerasConfig> {
    const archive = this.#archive;
    const member = archive.members.get(configName);
    if (!member || member.sizeBytes > configMost) return noConfig;
    const { bytes, problem } = await readMember(this.#source, archive, member);
    if (problem) this.problems.add(problem);
    if (!bytes || problem) return noConfig;
    const text = Buffer.from(bytes).toString('utf8');
    return readKerasConfig({ text, file: archive.file, where: configName });
  }

  async #weights(member: ZipMember, config: KerasConfig): Promise<KerasContents> {
    const { file } = this.#archive;
    const { sizeBytes, payloadOffset: offset, storedBytes } = member;
    if (!member.compressed) {
      const stored = checksumOf(this.#archive, member);
      if (stored) this.checksums.push(stored);
      const part = { place: { file, offset, sizeBytes }, listedIn: file };
      return this.#kept(await readKerasContents(this.#source, [part], config));
    }
    if (sizeBytes > inflatedMost) {
      const what = `The compressed weights are longer than ${inflatedMost} bytes`;
      throw new LaikaError({ code: 'limit-exceeded', what, where: file });
    }
    const name = `${file}!${escapeText(member.fullName)}`;
    this.encoded.push({ name, file, offset, storedBytes, codec: 'deflate', sizeBytes });
    const covered = { file: name, member: member.fullName, offset: 0, length: sizeBytes };
    this.checksums.push({ kind: 'crc32', ...covered, expected: member.crc32 });
    const part = { place: { file: name, offset: 0, sizeBytes }, listedIn: file };
    const decoded = decodedSource(this.#source, this.encoded);
    return this.#kept(await readKerasContents(decoded, [part], config));
  }

  #kept(contents: KerasContents): KerasContents {
    this.problems.addAll(contents.problems);
    for (const each of contents.encoded) this.encoded.push(each);
    return contents;
  }
}

function foreign(where: string): LaikaError {
  return new LaikaError({
    code: 'not-a-checkpoint',
    what: 'This is no checkpoint',
    where,
    why: `it is a zip archive without ${weightsName}`,
    next: 'name the file that the trainer saved',
  });
}
