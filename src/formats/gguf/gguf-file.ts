/** One GGUF file: its header believed as far as the file bears it out, its tensors listed. */
import type { EncodedFile, FileState } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Placement, type Tensor, unowned } from '../../checkpoint/tensor.ts';
import { isBlockCodec } from '../../sources/block-codecs.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { roleByName } from '../tensor-role.ts';
import { GgufFault } from './gguf-cursor.ts';
import { type GgufEntry, type GgufHeader, readGgufHeader } from './gguf-header.ts';
import { type GgufType, ggufTypes, plausibleTypes } from './gguf-types.ts';

export interface GgufFile {
  readonly file: FileState;
  /** Null: nothing is known of the file; `problems` says why. */
  readonly header: GgufHeader | null;
  readonly tensors: readonly Tensor[];
  readonly encoded: readonly EncodedFile[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** Bytes of the largest tensor that a double still counts. */
const bytesMost = 2n ** 53n;

/** @throws LaikaError `limit-exceeded`; as `Source.read`. */
export async function readGgufFile(source: Source, file: SourceFile): Promise<GgufFile> {
  const { name } = file;
  try {
    return new Lister(file, await readGgufHeader(source, file)).list();
  } catch (error) {
    if (!(error instanceof GgufFault)) throw error;
    const { rule, offset, message } = error;
    return {
      file: fileStateOf(file),
      header: null,
      tensors: [],
      encoded: [],
      problems: [{ rule, kind: 'damage', file: name, offset, message }],
      isWhole: rule !== 'file-truncated',
    };
  }
}

interface Claim {
  readonly entry: GgufEntry;
  readonly type: GgufType;
  readonly shape: readonly number[];
  readonly elements: number;
  /** In the file. */
  readonly begin: number;
  readonly end: number;
}

class Lister {
  readonly #file: SourceFile;
  readonly #header: GgufHeader;
  readonly #problems = new ProblemList();
  readonly #encoded: EncodedFile[] = [];
  #isTruncated = false;

  constructor(file: SourceFile, header: GgufHeader) {
    this.#file = file;
    this.#header = header;
  }

  list(): GgufFile {
    const seen = new Set<string>();
    const claims: Claim[] = [];
    for (const entry of this.#header.entries) {
      if (seen.has(entry.name)) this.#duplicate(entry);
      seen.add(entry.name);
      const claim = this.#claim(entry);
      if (claim) claims.push(claim);
    }
    this.#compareNeighbours(claims);
    return {
      file: fileStateOf(this.#file),
      header: this.#header,
      tensors: uniqueNames(claims).map((claim) => this.#tensor(claim)),
      encoded: this.#encoded,
      problems: this.#problems.toArray(),
      isWhole: !this.#isTruncated,
    };
  }

  #fault(entry: GgufEntry, rule: Problem['rule'], message: string): null {
    const { name: tensor, at: offset } = entry;
    this.#problems.add({ rule, kind: 'damage', file: this.#file.name, offset, tensor, message });
    return null;
  }

  #duplicate({ name: tensor, at: offset }: GgufEntry): void {
    const message = 'the header holds this name twice: readers disagree about which one counts';
    const file = this.#file.name;
    this.#problems.add({ rule: 'duplicate-name', kind: 'security', file, offset, tensor, message });
  }

  /** Null: too little of it can be believed to list it. */
  #claim(entry: GgufEntry): Claim | null {
    const type = ggufTypes.get(entry.type);
    if (!type) return this.#unknownType(entry);
    const elements = entry.shape.reduce((product, size) => product * size, 1n);
    if (elements > bytesMost || entry.shape.some((size) => size > bytesMost)) {
      return this.#fault(
        entry,
        'shape-mismatch',
        `its shape ${entry.shape.join(' × ')} is larger than any file`,
      );
    }
    const row = entry.shape.at(-1) ?? 1n;
    if (row % BigInt(type.blockElements) !== 0n) {
      const message = `its rows of ${row} elements do not fill blocks of ${type.blockElements}`;
      return this.#fault(entry, 'shape-mismatch', message);
    }
    const bytes = (elements / BigInt(type.blockElements)) * BigInt(type.blockBytes);
    const { alignment, dataOffset } = this.#header;
    if (entry.offset % BigInt(alignment) !== 0n) {
      const message = `it begins at ${entry.offset} of the data, which is no multiple of ${alignment}`;
      return this.#fault(entry, 'header-invalid', message);
    }
    const begin = BigInt(dataOffset) + entry.offset;
    const end = begin + bytes;
    const shape = entry.shape.map(Number);
    const claim = { entry, type, shape, elements: Number(elements) };
    if (end <= BigInt(this.#file.sizeBytes))
      return { ...claim, begin: Number(begin), end: Number(end) };
    this.#isTruncated = true;
    const message = `it claims bytes ${begin} to ${end} of a file of ${this.#file.sizeBytes}`;
    return this.#fault(entry, 'tensor-out-of-bounds', message);
  }

  #unknownType(entry: GgufEntry): null {
    if (entry.type >= plausibleTypes) {
      return this.#fault(entry, 'header-invalid', `its element type ${entry.type} does not exist`);
    }
    const message = `its element type ${entry.type} is not known; it was not read`;
    const { name: tensor, at: offset } = entry;
    const file = this.#file.name;
    this.#problems.add({ rule: 'dtype-unsupported', kind: 'info', file, offset, tensor, message });
    return null;
  }

  #compareNeighbours(claims: readonly Claim[]): void {
    const sorted = [...claims].sort((a, b) => a.begin - b.begin || a.end - b.end);
    let last: Claim | null = null;
    for (const claim of sorted) {
      if (claim.begin === claim.end) continue;
      if (last && claim.begin < last.end) {
        const shared = Math.min(last.end, claim.end) - claim.begin;
        const message = `it shares ${shared} bytes with ${JSON.stringify(last.entry.name)}`;
        this.#fault(claim.entry, 'tensor-overlap', message);
      }
      if (!last || claim.end > last.end) last = claim;
    }
  }

  #tensor(claim: Claim): Tensor {
    const { entry, type, shape, elements } = claim;
    const dtype = type.dtype ?? 'f32';
    return {
      name: entry.name,
      role: roleByName(entry.name, dtype),
      ...unowned,
      file: this.#file.name,
      dtype,
      ...(type.dtype === null ? { storedDtype: type.name } : {}),
      shape,
      elements,
      placement: this.#placement(claim),
    };
  }

  #placement(claim: Claim): Placement {
    const { type, elements, begin, end } = claim;
    const { name: file } = this.#file;
    if (elements === 0) return { kind: 'dense', pieces: [] };
    if (type.dtype === null) return this.#blocks(claim);
    if (this.#header.little) return { kind: 'dense', pieces: [{ file, offset: begin, elements }] };
    const strides = claim.shape.map((_, i) => {
      return claim.shape.slice(i + 1).reduce((product, size) => product * size, 1);
    });
    const extentBytes = end - begin;
    return { kind: 'strided', file, offset: begin, strides, extentBytes, bigEndian: true };
  }

  #blocks({ type, elements, entry, begin, end }: Claim): Placement {
    const codec = type.name;
    if (!isBlockCodec(codec) || !this.#header.little) {
      return { kind: 'absent', reason: 'quantised' };
    }
    const { name: file } = this.#file;
    const name = `${file}!${entry.name}`;
    const storedBytes = end - begin;
    this.#encoded.push({ name, file, offset: begin, storedBytes, codec, sizeBytes: 4 * elements });
    return { kind: 'dense', pieces: [{ file: name, offset: 0, elements }] };
  }
}

/** The first of each name: names are unique in a checkpoint. */
function uniqueNames(claims: readonly Claim[]): Claim[] {
  const byName = new Map<string, Claim>();
  for (const claim of claims)
    if (!byName.has(claim.entry.name)) byName.set(claim.entry.name, claim);
  return [...byName.values()];
}
