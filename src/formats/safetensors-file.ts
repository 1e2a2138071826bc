/** One safetensors file: its header read in one bounded read, its tensors listed, its bytes untouched. */
import type { FileState } from '../checkpoint/checkpoint.ts';
import { LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { type Placement, type Tensor, unowned } from '../checkpoint/tensor.ts';
import { fileStateOf, type Source, type SourceFile } from '../sources/source.ts';
import { ProblemList } from './problem-list.ts';
import { type Entry, readEntry } from './safetensors-entry.ts';
import { checkTiling } from './safetensors-tiling.ts';
import { isJsonObject, type JsonObject, type JsonValue, readStrictJson } from './strict-json.ts';
import { roleOfModelTensor } from './tensor-role.ts';

/** The format's own cap, enforced by every reader. */
export const headerBytesMost = 100_000_000;

/** Legal headers are three deep; fields that nobody knows may go a little deeper. */
const headerDepth = 8;

const tensorsMost = 1_000_000;

export interface SafetensorsFile {
  readonly file: FileState;
  /** In the order of the header; roles by name. */
  readonly tensors: readonly Tensor[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
  /** The header could be read: without it nothing is known of the file. */
  readonly hasHeader: boolean;
  /** False while the file is still being written, or was cut. */
  readonly isWhole: boolean;
}

/**
 * Lists the tensors of a file. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded` (nesting, number of tensors); as `Source.read`.
 */
export async function readSafetensorsFile(
  source: Source,
  file: SourceFile,
): Promise<SafetensorsFile> {
  const header = await readHeader(source, file);
  if ('rule' in header) {
    const isWhole = header.rule !== 'file-truncated' && !header.isBlank;
    const { rule, offset, message } = header;
    const problem: Problem = { rule, kind: 'damage', file: file.name, offset, message };
    return { ...unread(file), problems: [problem], isWhole };
  }
  return new HeaderReader(file, header).read();
}

function unread(file: SourceFile): SafetensorsFile {
  return {
    file: fileStateOf(file),
    tensors: [],
    metadata: new Map(),
    problems: [],
    hasHeader: false,
    isWhole: false,
  };
}

interface Fault {
  readonly rule: 'file-truncated' | 'header-invalid';
  readonly offset: number;
  readonly message: string;
  /** Eight zero bytes: a file that was given its size before its content. */
  readonly isBlank: boolean;
}

async function readHeader(source: Source, file: SourceFile): Promise<Uint8Array | Fault> {
  const { sizeBytes } = file;
  const fault = (rule: Fault['rule'], message: string): Fault => {
    return { rule, offset: 0, message, isBlank: false };
  };
  if (sizeBytes < 8) {
    return fault('file-truncated', `the file has ${sizeBytes} bytes; its header's length needs 8`);
  }
  const prefix = new Uint8Array(8);
  await source.read(file.name, 0, prefix);
  const length = Buffer.from(prefix.buffer).readBigUInt64LE();
  if (length === 0n) {
    return { ...fault('header-invalid', 'the header has no bytes'), isBlank: true };
  }
  if (length > headerBytesMost) {
    const message = `a header of ${length} bytes is promised; the format allows ${headerBytesMost}`;
    return fault('header-invalid', message);
  }
  if (length > sizeBytes - 8) {
    const message = `a header of ${length} bytes is promised; ${sizeBytes - 8} follow`;
    return fault('file-truncated', message);
  }
  const header = new Uint8Array(Number(length));
  await source.read(file.name, 8, header);
  return header;
}

/** Turns a header into tensors and problems. */
class HeaderReader {
  readonly #file: SourceFile;
  readonly #header: Uint8Array;
  readonly #problems = new ProblemList();

  constructor(file: SourceFile, header: Uint8Array) {
    this.#file = file;
    this.#header = header;
  }

  read(): SafetensorsFile {
    const json = readStrictJson(this.#header, {
      where: this.#file.name,
      maxDepth: headerDepth,
      integersOnly: true,
    });
    if (!json.ok) return this.#unreadable(json.message, 8 + json.offset);
    const { value, duplicates, offsets } = json;
    if (!isJsonObject(value)) return this.#unreadable('the header is no JSON object', 8);
    for (const { name, path, offset } of duplicates) {
      if (path.length < 2) this.#duplicate(name, path, 8 + offset);
    }
    const metadata = this.#metadata(value.get('__metadata__'));
    const entries = this.#entries(value, offsets);
    const isUnique = !duplicates.some((duplicate) => duplicate.path.length === 0);
    const { tensors, isTruncated } = this.#place(entries, isUnique);
    return {
      ...unread(this.#file),
      tensors,
      metadata,
      problems: this.#problems.toArray(),
      hasHeader: true,
      isWhole: !isTruncated,
    };
  }

  #unreadable(message: string, offset: number): SafetensorsFile {
    this.#add({ rule: 'header-invalid', kind: 'damage', offset, message });
    return { ...unread(this.#file), problems: this.#problems.toArray(), isWhole: true };
  }

  #add(problem: Omit<Problem, 'file'>): void {
    this.#problems.add({ ...problem, file: this.#file.name });
  }

  #duplicate(name: string, path: readonly string[], offset: number): void {
    const tensor = path[0] ?? name;
    const message =
      path.length === 0
        ? 'the header holds this name twice: readers disagree about which one counts'
        : `its entry holds ${JSON.stringify(name)} twice: readers disagree about which one counts`;
    this.#add({ rule: 'duplicate-name', kind: 'security', tensor, offset, message });
  }

  #metadata(value: JsonValue | undefined): Map<string, string> {
    const metadata = new Map<string, string>();
    if (value === undefined) return metadata;
    const items: JsonObject = isJsonObject(value) ? value : new Map();
    for (const [key, text] of items) if (typeof text === 'string') metadata.set(key, text);
    if (!isJsonObject(value) || metadata.size !== items.size) {
      const message = '__metadata__ holds something other than strings, which other readers refuse';
      this.#add({ rule: 'header-invalid', kind: 'info', message });
    }
    return metadata;
  }

  #entries(header: JsonObject, offsets: readonly number[]): Entry[] {
    if (header.size > tensorsMost) {
      throw new LaikaError({
        code: 'limit-exceeded',
        what: `The file lists more than ${tensorsMost} tensors`,
        where: this.#file.name,
      });
    }
    const entries: Entry[] = [];
    let place = 0;
    for (const [name, value] of header) {
      const offset = 8 + (offsets[place++] as number);
      if (name === '__metadata__') continue;
      const entry = readEntry(name, value);
      for (const { rule, message } of entry.faults) {
        this.#add({ rule, kind: 'damage', tensor: name, offset, message });
      }
      entries.push(entry);
    }
    const extra = entries.find((entry) => entry.hasExtraFields);
    if (extra) {
      const message = 'its entry has fields that are not of the format';
      this.#add({ rule: 'note', kind: 'info', tensor: extra.name, message });
    }
    return entries;
  }

  #place(
    entries: readonly Entry[],
    isUnique: boolean,
  ): { tensors: Tensor[]; isTruncated: boolean } {
    const dataOffset = 8 + this.#header.length;
    const dataLength = this.#file.sizeBytes - dataOffset;
    const claims = entries.flatMap(({ name, range }) => (range ? [{ name, ...range }] : []));
    const tiling = { file: this.#file.name, dataOffset, dataLength };
    const isWhole = isUnique && claims.length === entries.length;
    const { cut, isTruncated, problems } = checkTiling(claims, tiling, isWhole);
    this.#problems.addAll(problems);
    const tensors = entries.flatMap((entry) => {
      const placement = this.#placement(entry, { dataOffset, isCut: cut.has(entry.name) });
      return placement ? this.#tensor(entry, placement) : [];
    });
    return { tensors, isTruncated };
  }

  /** Null: too little is known to list the tensor; its problem is listed. */
  #placement(entry: Entry, at: { dataOffset: number; isCut: boolean }): Placement | null {
    const { range, elements, agrees } = entry;
    if (!entry.dtype || !entry.shape) return null;
    if (!agrees || !range) {
      // A size that no file of this length could hold is a lie, and not worth a line.
      if (elements > this.#file.sizeBytes * 8) return null;
      return { kind: 'absent', reason: 'its header entry contradicts itself' };
    }
    if (at.isCut) return { kind: 'absent', reason: 'its bytes are past the end of the file' };
    if (elements === 0) return { kind: 'dense', pieces: [] };
    const offset = at.dataOffset + range.begin;
    return { kind: 'dense', pieces: [{ file: this.#file.name, offset, elements }] };
  }

  #tensor(entry: Entry, placement: Placement): Tensor[] {
    const { name, dtype, shape, elements } = entry;
    if (!dtype || !shape) return [];
    const role = roleOfModelTensor(name, dtype);
    const { name: file } = this.#file;
    return [{ name, role, ...unowned, file, dtype, shape, elements, placement }];
  }
}
