/**
 * Opens one distributed checkpoint: metadata, items, and the tensors that their parts make up. What
 * the tensors are for is found out by who opens it.
 */
import type { EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Box, type Placement, unowned } from '../../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { windowSource } from '../../sources/window-source.ts';
import { tilingFault } from '../box-tiling.ts';
import { joinBoxes } from '../join-boxes.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { type DcpItem, ItemReader } from './items.ts';
import { type DcpChunk, type DcpMetadata, type DcpTensor, readDcpMetadata } from './metadata.ts';
import { checkSlices, type DcpFolder, type PlacedSlice } from './slices.ts';

export interface OpenedDcp {
  /** In the order of the metadata; role `other`, no owner. */
  readonly tensors: ReadonlyMap<string, TensorDraft>;
  /** Pickled values, with the tensors inside them. */
  readonly values: ReadonlyMap<string, DcpItem>;
  /** Null: the metadata could not be read. */
  readonly metadata: DcpMetadata | null;
  /** The metadata and the files that it names. */
  readonly files: readonly SourceFile[];
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  /** The metadata can be read, and every item has its bytes. */
  readonly isWhole: boolean;
}

/**
 * Opens the checkpoint in `of.folder`. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function openDcp(source: Source, of: DcpFolder): Promise<OpenedDcp> {
  const { metadata, problems } = await readDcpMetadata(source, of.metadata);
  if (metadata) return new DcpReader(source, of, metadata).read(problems);
  return {
    tensors: new Map(),
    values: new Map(),
    metadata: null,
    files: [of.metadata],
    encoded: [],
    checksums: [],
    problems,
    isWhole: false,
  };
}

/** The rank in a data file's name: `__1_0.distcp`. */
export function rankOf(file: string): number | undefined {
  const match = /(?:^|\/)__([0-9]{1,7})_[0-9]+\.distcp$/.exec(file);
  return match ? Number(match[1]) : undefined;
}

/** A chunk that was found: null where it could not be read. */
type Found = Pick<Box, 'placement' | 'rank'> | null;

class DcpReader {
  readonly #source: Source;
  readonly #of: DcpFolder;
  readonly #metadata: DcpMetadata;
  readonly #problems = new ProblemList();
  readonly #values = new Map<string, DcpItem>();
  /** Chunks by name, then by their origin. */
  readonly #found = new Map<string, Map<string, Found>>();
  readonly #origins = new Map<string, ReadonlyMap<string, DcpChunk>>();
  readonly #homes = new Map<string, string>();

  constructor(source: Source, of: DcpFolder, metadata: DcpMetadata) {
    this.#source = source;
    this.#of = of;
    this.#metadata = metadata;
  }

  async read(problems: readonly Problem[]): Promise<OpenedDcp> {
    this.#problems.addAll(problems);
    const slices = checkSlices(this.#metadata.slices, this.#of);
    this.#problems.addAll(slices.problems);
    const reader = new ItemReader(windowSource(this.#source, slices.files), this.#problems);
    for (const placed of slices.placed) await this.#item(reader, placed);
    const tensors = new Map<string, TensorDraft>();
    for (const tensor of this.#metadata.tensors.values()) {
      tensors.set(tensor.name, this.#join(tensor));
    }
    this.#missingValues(slices.isWhole);
    return {
      tensors,
      values: this.#values,
      metadata: this.#metadata,
      files: [this.#of.metadata, ...slices.files],
      encoded: reader.encoded,
      checksums: reader.checksums,
      problems: this.#problems.toArray(),
      isWhole: slices.isWhole,
    };
  }

  #damage(rule: Problem['rule'], tensor: string, message: string, file?: string): null {
    const where = file ?? this.#of.metadata.name;
    this.#problems.add({ rule, kind: 'damage', file: where, tensor, message });
    return null;
  }

  async #item(reader: ItemReader, placed: PlacedSlice): Promise<void> {
    const { name, origin } = placed.slice;
    const tensor = this.#metadata.tensors.get(name);
    if (tensor) {
      const at = origin ?? tensor.chunks[0]?.origin ?? [];
      const parts = this.#found.get(name) ?? new Map<string, Found>();
      this.#found.set(name, parts);
      if (parts.has(String(at))) {
        this.#damage('duplicate-name', name, `its part at [${at}] is stored twice`);
        return;
      }
      if (!this.#homes.has(name)) this.#homes.set(name, placed.file.name);
      parts.set(String(at), await this.#chunk(reader, placed, { tensor, at }));
    } else if (this.#metadata.values.has(name)) {
      const item = await reader.open(placed, null);
      if (item) this.#values.set(name, item);
    } else {
      this.#damage('tensor-unlisted', name, 'a file holds it, the metadata does not list it');
    }
  }

  async #chunk(
    reader: ItemReader,
    placed: PlacedSlice,
    of: { tensor: DcpTensor; at: readonly number[] },
  ): Promise<Found> {
    const { type, name } = of.tensor;
    const file = placed.file.name;
    const chunk = this.#chunks(of.tensor).get(String(of.at));
    if (!chunk) {
      return this.#damage('tensor-unlisted', name, `it has no part at [${of.at}]`, file);
    }
    const elements = chunk.sizes.reduce((product, n) => product * n, 1);
    const item = await reader.open(placed, elements * (type?.bytes ?? 16));
    if (!item) return null;
    const draft = item.byPath.get('');
    if (!draft) return this.#damage('tensor-missing', name, 'its item holds no tensor', file);
    if (!sameShape(draft.shape, chunk.sizes) || (type && draft.dtype !== type.dtype)) {
      const stored = `${draft.dtype} [${draft.shape}]`;
      const message = `its part at [${of.at}] is ${stored}, not ${type?.dtype ?? ''} [${chunk.sizes}]`;
      return this.#damage('shape-mismatch', name, message, file);
    }
    const rank = rankOf(file);
    const { placement } = draft;
    if (placement.kind === 'absent' || placement.kind === 'boxes') return null;
    return { placement, ...(rank === undefined ? {} : { rank }) };
  }

  /** Chunks of one tensor by their origin: there may be very many. */
  #chunks({ name, chunks }: DcpTensor): ReadonlyMap<string, DcpChunk> {
    const known = this.#origins.get(name);
    if (known) return known;
    const origins = new Map(chunks.map((chunk) => [String(chunk.origin), chunk]));
    this.#origins.set(name, origins);
    return origins;
  }

  #join(tensor: DcpTensor): TensorDraft {
    const { name, type, shape, elements } = tensor;
    return {
      name,
      role: 'other',
      ...unowned,
      file: this.#homes.get(name) ?? this.#of.metadata.name,
      dtype: type?.dtype ?? 'u8',
      shape,
      elements,
      placement: this.#placement(tensor),
    };
  }

  #placement({ name, type, shape, chunks }: DcpTensor): Placement {
    const fault = tilingFault(shape, chunks);
    if (fault !== null) {
      this.#damage('shape-mismatch', name, `its parts do not make it up: ${fault}`);
      return { kind: 'absent', reason: 'its parts do not make it up' };
    }
    if (!type || type.unread !== null) {
      return { kind: 'absent', reason: type?.unread ?? 'its element type is not known' };
    }
    const boxes: Box[] = [];
    let isStored = true;
    for (const chunk of chunks) {
      const found = this.#found.get(name)?.get(String(chunk.origin));
      if (found === undefined) isStored = isStored && this.#isElsewhere(name, chunk.origin);
      else if (found) boxes.push({ ...chunk, ...found });
    }
    if (!isStored) this.#damage('tensor-missing', name, 'a part of it is stored nowhere');
    if (boxes.length === chunks.length) return joinBoxes({ shape, dtype: type.dtype }, boxes);
    return { kind: 'absent', reason: 'a part of it could not be read' };
  }

  /** The metadata places the part: that its file is missing or too short was told already. */
  #isElsewhere(name: string, origin: readonly number[]): boolean {
    return this.#listed().has(`${name}\0${origin}`);
  }

  #allListed: ReadonlySet<string> | null = null;

  #listed(): ReadonlySet<string> {
    this.#allListed ??= new Set(
      this.#metadata.slices.map(({ name, origin }) => `${name}\0${origin ?? ''}`),
    );
    return this.#allListed;
  }

  #missingValues(isWhole: boolean): void {
    if (!isWhole) return;
    for (const name of this.#metadata.values) {
      if (this.#listed().has(`${name}\0`)) continue;
      this.#damage('tensor-missing', name, 'this value is stored nowhere');
    }
  }
}
