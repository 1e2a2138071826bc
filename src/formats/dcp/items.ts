/** Items of a distributed checkpoint: each is a file of torch.save inside a slice of a file. */
import type { EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { onRealFile } from '../../checkpoint/shift-placement.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import { measureDecoded } from '../../sources/measure-decoded.ts';
import type { Source } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { PickleValue } from '../pickle/values.ts';
import type { ProblemList } from '../problem-list.ts';
import { readTorchFile } from '../torch-zip/torch-file.ts';
import type { PlacedSlice } from './slices.ts';

/** What one item holds. */
export interface DcpItem {
  /** What its pickle describes; undefined where it could not be read. */
  readonly root: PickleValue | undefined;
  /** By their path in the pickle: empty for an item that is a tensor. */
  readonly byPath: ReadonlyMap<string, TensorDraft>;
}

/** What a pickled value may decode to. */
const valueBytesMost = 2 ** 28;

/** Around the elements of a part: the archive's own records and padding. */
const archiveBytesMost = 2 ** 20;

const zstd = 'stream.zstd/1';

/** Opens items; what it finds besides their contents gathers here. */
export class ItemReader {
  readonly checksums: StoredChecksum[] = [];
  readonly encoded: EncodedFile[] = [];
  readonly #source: Source;
  readonly #problems: ProblemList;

  constructor(source: Source, problems: ProblemList) {
    this.#source = source;
    this.#problems = problems;
  }

  /** `elementBytes`: bytes of the elements that the item should hold; null for a value. */
  async open(placed: PlacedSlice, elementBytes: number | null): Promise<DcpItem | null> {
    const encoded = await this.#encode(placed, elementBytes);
    if (!encoded) return null;
    try {
      return await this.#open(placed, encoded);
    } catch (error) {
      if (!isLaikaError(error, 'bytes-damaged')) throw error;
      this.#broken(placed, error.details.why ?? 'it cannot be decoded');
      return null;
    }
  }

  #add(placed: PlacedSlice, problem: Problem, isStored = true): void {
    const offset = placed.slice.offset + (isStored ? (problem.offset ?? 0) : 0);
    this.#problems.add({ ...problem, file: placed.file.name, offset, tensor: placed.slice.name });
  }

  #broken(placed: PlacedSlice, message: string): void {
    this.#add(placed, { rule: 'header-invalid', kind: 'damage', file: '', message });
  }

  /** The slice as a file of its own; null where nothing can read it. */
  async #encode(placed: PlacedSlice, elementBytes: number | null): Promise<EncodedFile | null> {
    const { name, origin, offset, length, transforms } = placed.slice;
    const part = origin === null ? '' : `[${origin}]`;
    const slice = { name: `${placed.file.name}!${name}${part}`, file: placed.file.name, offset };
    const whole = { ...slice, storedBytes: length };
    if (transforms.length === 0) return { ...whole, codec: 'stored', sizeBytes: length };
    if (transforms.length > 1 || transforms[0] !== zstd) {
      this.#broken(placed, 'it was transformed in a way that Laika does not know');
      return null;
    }
    const most = elementBytes === null ? valueBytesMost : elementBytes + archiveBytesMost;
    try {
      const sizeBytes = await measureDecoded(this.#source, { ...whole, codec: 'zstd' }, most);
      if (sizeBytes !== null) return { ...whole, codec: 'zstd', sizeBytes };
      const message = `its ${length} bytes decode to more than the ${most} that it can have`;
      this.#add(placed, { rule: 'compression-bomb', kind: 'security', file: '', message });
    } catch (error) {
      if (!isLaikaError(error, 'bytes-damaged')) throw error;
      this.#broken(placed, `its zstd frame is broken: ${error.details.why ?? ''}`);
    }
    return null;
  }

  async #open(placed: PlacedSlice, encoded: EncodedFile): Promise<DcpItem | null> {
    const source = decodedSource(this.#source, [encoded]);
    const isStored = encoded.codec === 'stored';
    const torch = await readTorchFile(source, encoded.name, encoded.sizeBytes);
    for (const problem of torch.problems) this.#add(placed, problem, isStored);
    if (torch.root === undefined) return null;
    // Its other members were verified when they were read.
    const checksums = torch.checksums.filter(({ member }) => member.includes('/data/'));
    if (!isStored && torch.tensors.length > 0) this.encoded.push(encoded);
    for (const checksum of checksums) {
      this.checksums.push(isStored ? onFile(checksum, placed) : checksum);
    }
    for (const draft of torch.tensors) {
      draft.file = placed.file.name;
      if (isStored) draft.placement = onRealFile(draft.placement, encoded);
    }
    return { root: torch.root, byPath: torch.byPath };
  }
}

function onFile(checksum: StoredChecksum, { file, slice }: PlacedSlice): StoredChecksum {
  const member = `${slice.name} (${checksum.member})`;
  return { ...checksum, file: file.name, offset: slice.offset + checksum.offset, member };
}
