/** Entries of a bundle's index as tensors, each claim compared with the data files that are there. */
import type { FileState, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Box, type Placement, unowned } from '../../checkpoint/tensor.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import { tilingFault } from '../box-tiling.ts';
import { joinBoxes } from '../join-boxes.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import type { BundleEntry, BundleIndex } from './bundle-index.ts';

/** TensorFlow's numbers for element types. */
const dtypes: ReadonlyMap<number, DType> = new Map([
  [1, 'f32'],
  [2, 'f64'],
  [3, 'i32'],
  [4, 'u8'],
  [5, 'i16'],
  [6, 'i8'],
  [8, 'c64'],
  [9, 'i64'],
  [10, 'bool'],
  [14, 'bf16'],
  [17, 'u16'],
  [18, 'c128'],
  [19, 'f16'],
  [22, 'u32'],
  [23, 'u64'],
  [24, 'f8e5m2'],
  [25, 'f8e4m3fn'],
]);

const stringType = 7;

/** Data files of one checkpoint. */
const shardsMost = 100_000;

const bytesMost = 2n ** 53n;

/** An entry whose bytes are there. */
export interface PlacedEntry {
  readonly entry: BundleEntry;
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

export interface BundleTensors {
  readonly tensors: readonly TensorDraft[];
  /** Tensors of strings, which are no tensors to anybody else. */
  readonly strings: readonly PlacedEntry[];
  readonly checksums: readonly StoredChecksum[];
  readonly files: readonly FileState[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

function shardName(prefix: string, shard: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `${prefix}.data-${digits(shard)}-of-${digits(count)}`;
}

/** `file` is the index, `prefix` the name that it shares with the data. */
export async function listBundle(
  source: Source,
  index: BundleIndex,
  name: { readonly file: string; readonly prefix: string },
): Promise<BundleTensors> {
  const lister = new Lister(index, name.file);
  await lister.findShards(source, name.prefix);
  return lister.list();
}

class Lister {
  readonly #index: BundleIndex;
  readonly #file: string;
  readonly #shards: (SourceFile | null)[] = [];
  readonly #problems = new ProblemList();
  readonly #tensors: TensorDraft[] = [];
  readonly #strings: PlacedEntry[] = [];
  readonly #checksums: StoredChecksum[] = [];
  readonly #placed: PlacedEntry[] = [];
  #isWhole = true;

  constructor(index: BundleIndex, file: string) {
    this.#index = index;
    this.#file = file;
  }

  async findShards(source: Source, prefix: string): Promise<void> {
    const { shards } = this.#index;
    if (!(shards >= 1 && shards <= shardsMost)) {
      const message = `the index speaks of ${shards} data files`;
      this.#problems.add({ rule: 'header-invalid', kind: 'damage', file: this.#file, message });
      this.#isWhole = false;
      return;
    }
    for (let shard = 0; shard < shards; shard += 1) {
      const name = shardName(prefix, shard, shards);
      const file = await source.stat(name);
      this.#shards.push(file);
      if (file) continue;
      this.#isWhole = false;
      const message = `data file ${shard} of ${shards} is missing`;
      this.#problems.add({ rule: 'shard-missing', kind: 'damage', file: name, message });
    }
  }

  list(): BundleTensors {
    const seen = new Set<string>();
    for (const entry of this.#index.entries) {
      if (seen.has(entry.key)) this.#duplicate(entry);
      else this.#add(entry);
      seen.add(entry.key);
    }
    this.#compareNeighbours();
    if (this.#index.strange > 0) {
      const message = `${this.#index.strange} keys that are no names were not read`;
      this.#problems.add({ rule: 'note', kind: 'info', file: this.#file, message });
    }
    return {
      tensors: this.#tensors,
      strings: this.#strings,
      checksums: this.#checksums,
      files: this.#shards.flatMap((file) => {
        return file ? [fileStateOf(file)] : [];
      }),
      problems: this.#problems.toArray(),
      isWhole: this.#isWhole,
    };
  }

  #fault({ key: tensor, at: offset }: BundleEntry, rule: Problem['rule'], message: string): null {
    this.#problems.add({ rule, kind: 'damage', file: this.#file, offset, tensor, message });
    return null;
  }

  #duplicate({ key: tensor, at: offset }: BundleEntry): void {
    const message = 'the index holds this name twice: readers disagree about which one counts';
    const file = this.#file;
    this.#problems.add({ rule: 'duplicate-name', kind: 'security', file, offset, tensor, message });
  }

  #add(entry: BundleEntry): void {
    if (entry.type === stringType) {
      const placed = this.#place(entry);
      if (placed) this.#strings.push(placed);
      return;
    }
    const dtype = dtypes.get(entry.type);
    if (!dtype) {
      const message = `its element type ${entry.type} is not known; it was not read`;
      const { key: tensor, at: offset } = entry;
      const file = this.#file;
      this.#problems.add({
        rule: 'dtype-unsupported',
        kind: 'info',
        file,
        offset,
        tensor,
        message,
      });
      return;
    }
    const elements = entry.shape.reduce((product, size) => product * size, 1n);
    if (entry.shape.some((size) => size < 0n || size > bytesMost) || elements > bytesMost) {
      this.#fault(entry, 'shape-mismatch', `its shape (${entry.shape.join(', ')}) is none`);
      return;
    }
    const placement = this.#placement(entry, dtype, Number(elements));
    if (placement) this.#tensor(entry, dtype, { placement, elements: Number(elements) });
  }

  #tensor(
    entry: BundleEntry,
    dtype: DType,
    { placement, elements }: { placement: Placement; elements: number },
  ): void {
    const shape = entry.shape.map(Number);
    const file = this.#shards[entry.shard]?.name ?? this.#file;
    this.#tensors.push({
      name: entry.key,
      role: 'other',
      ...unowned,
      file,
      dtype,
      shape,
      elements,
      placement,
    });
  }

  /** Null: too little can be believed to list it. */
  #placement(entry: BundleEntry, dtype: DType, elements: number): Placement | null {
    if (entry.isSliced) return this.#sliced(entry, dtype);
    const bytes = (BigInt(elements) * BigInt(dtypeBits[dtype])) / 8n;
    if (entry.size !== bytes) {
      const shape = entry.shape.join(', ');
      const message = `its shape (${shape}) takes ${bytes} bytes; it has ${entry.size}`;
      return this.#fault(entry, 'shape-mismatch', message);
    }
    const placed = this.#place(entry);
    if (!placed) return { kind: 'absent', reason: 'its bytes are not there' };
    const { file, begin: offset, end } = placed;
    if (entry.crc !== null) {
      const covered = { file, member: entry.key, offset, length: end - offset };
      this.#checksums.push({ kind: 'crc32c-masked', ...covered, expected: entry.crc });
    }
    if (elements === 0) return { kind: 'dense', pieces: [] };
    if (!this.#index.bigEndian) return { kind: 'dense', pieces: [{ file, offset, elements }] };
    const shape = entry.shape.map(Number);
    const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
    return { kind: 'strided', file, offset, strides, extentBytes: end - offset, bigEndian: true };
  }

  /** Parts that lie anywhere in the data files, and together are the variable. */
  #sliced(entry: BundleEntry, dtype: DType): Placement {
    const shape = entry.shape.map(Number);
    const boxes: Box[] = [];
    const missing: Placement = { kind: 'absent', reason: 'parts of it are missing or damaged' };
    for (const { place, entry: part } of this.#index.parts.get(entry.key) ?? []) {
      const { origin } = place;
      const sizes = place.sizes.map((size, d) => size ?? shape[d] ?? 0);
      const elements = sizes.reduce((product, size) => product * size, 1);
      const isSame = sizes.length === part.shape.length && part.type === entry.type;
      if (!isSame || sizes.some((size, d) => BigInt(size) !== part.shape[d]) || part.isSliced) {
        this.#fault(
          part,
          'shape-mismatch',
          'a part of it is of another type or shape than its place',
        );
        return missing;
      }
      const placement = this.#placement(part, dtype, elements);
      if (!placement || placement.kind === 'absent' || placement.kind === 'boxes') return missing;
      boxes.push({ origin, sizes, placement });
    }
    const fault = tilingFault(shape, boxes);
    if (fault === null) return joinBoxes({ shape, dtype }, boxes);
    this.#fault(entry, 'shape-mismatch', fault);
    return missing;
  }

  #place(entry: BundleEntry): PlacedEntry | null {
    const file = this.#shards[entry.shard];
    if (file === undefined) {
      if (this.#shards.length === 0) return null;
      return this.#fault(
        entry,
        'header-invalid',
        `it lies in data file ${entry.shard}, which is none`,
      );
    }
    // The missing file was told already.
    if (file === null) return null;
    const end = entry.offset + entry.size;
    if (end > BigInt(file.sizeBytes)) {
      this.#isWhole = false;
      const message = `it claims bytes ${entry.offset} to ${end} of ${file.name}, which has ${file.sizeBytes}`;
      return this.#fault(entry, 'tensor-out-of-bounds', message);
    }
    const placed = { entry, file: file.name, begin: Number(entry.offset), end: Number(end) };
    this.#placed.push(placed);
    return placed;
  }

  #compareNeighbours(): void {
    const sorted = [...this.#placed].sort((a, b) => {
      return a.entry.shard - b.entry.shard || a.begin - b.begin || a.end - b.end;
    });
    let last: PlacedEntry | null = null;
    for (const placed of sorted) {
      if (placed.begin === placed.end) continue;
      if (last && last.file === placed.file && placed.begin < last.end) {
        const message = `it shares bytes of ${placed.file} with ${JSON.stringify(last.entry.key)}`;
        this.#fault(placed.entry, 'tensor-overlap', message);
      }
      if (!last || last.file !== placed.file || placed.end > last.end) last = placed;
    }
    this.#findRests(sorted);
  }

  /** A data file ends with its last tensor; partitioned variables have bytes that were not followed. */
  #findRests(sorted: readonly PlacedEntry[]): void {
    // Where a tensor lies outside, the ends are not those of all.
    if (this.#index.strange > 0 || !this.#isWhole) return;
    const ends = new Map<string, number>();
    for (const { file, end } of sorted) ends.set(file, Math.max(ends.get(file) ?? 0, end));
    for (const file of this.#shards) {
      const end = file && (ends.get(file.name) ?? 0);
      if (!file || end === null || file.sizeBytes <= end) continue;
      const message = `${file.sizeBytes - end} bytes follow the last tensor`;
      const { name } = file;
      this.#problems.add({
        rule: 'trailing-bytes',
        kind: 'damage',
        file: name,
        offset: end,
        message,
      });
    }
  }
}
