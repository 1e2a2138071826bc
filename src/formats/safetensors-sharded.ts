/** A folder of safetensors shards with an index, as `save_pretrained` writes large models. */
import type { Checkpoint, FileState } from '../checkpoint/checkpoint.ts';
import { sizeBytes } from '../checkpoint/dtype.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { fileStateOf, type Source, type SourceFile } from '../sources/source.ts';
import type { Format, Sighting } from './format.ts';
import { ProblemList } from './problem-list.ts';
import { tiesOf } from './safetensors.ts';
import { readSafetensorsFile, type SafetensorsFile } from './safetensors-file.ts';
import { readIndex, type SafetensorsIndex } from './safetensors-index.ts';
import { parseShardName, type ShardName } from './shard-names.ts';

const indexSuffix = '.safetensors.index.json';

export const safetensorsSharded: Format = {
  id: 'safetensors-sharded',
  title: 'safetensors: shards with an index',
  recognise,
  complete: async ({ source, files }) => (await readShardedSafetensors(source, files)).isWhole,
  open,
};

/** The weights of a folder, whatever else it holds. */
export interface ShardedSafetensors {
  readonly files: readonly FileState[];
  readonly tensors: readonly Tensor[];
  readonly tied: readonly (readonly [string, string])[];
  readonly problems: readonly Problem[];
  /** The index and every shard that it names are there, each with all its bytes. */
  readonly isWhole: boolean;
}

/** The index of a folder's weights: the plain one before variants such as fp16. */
export function findIndex(files: readonly SourceFile[]): SourceFile | undefined {
  const found = files.filter(({ name }) => name.endsWith(indexSuffix) && !name.includes('/'));
  return found.find(({ name }) => name === `model${indexSuffix}`) ?? found[0];
}

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  if (findIndex(files)) return 'certain';
  return files.some(({ name }) => isShard(name)) ? 'named' : 'no';
}

function isShard(name: string): boolean {
  return !name.includes('/') && parseShardName(name) !== null;
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const { isWhole, ...weights } = await readShardedSafetensors(source, files);
  return {
    path: source.path,
    layout: 'safetensors-sharded',
    step: null,
    complete: isWhole,
    ...weights,
    optimizers: [],
    frozen: [],
    hasScheduler: false,
    checksums: [],
  };
}

/**
 * Lists the tensors of a sharded set: by the index, or by the shards' names where it is missing.
 * `files` is the listing of the folder.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readShardedSafetensors(
  source: Source,
  files: readonly SourceFile[],
): Promise<ShardedSafetensors> {
  const index = findIndex(files);
  const contents: SafetensorsIndex = index
    ? await readIndex(source, index)
    : { shardOf: null, totalSize: null, problems: [missingIndex(files)] };
  const reader = new ShardReader(files, index, contents);
  return reader.read(source);
}

function missingIndex(files: readonly SourceFile[]): Problem {
  const shard = files.find(({ name }) => isShard(name))?.name ?? '';
  const family = parseShardName(shard)?.family ?? 'model';
  const file = family + indexSuffix;
  const message = 'the index of the shards is missing: saving ended too early, or it was lost';
  return { rule: 'shard-missing', kind: 'damage', file, message };
}

class ShardReader {
  readonly #files: ReadonlyMap<string, SourceFile>;
  readonly #index: SourceFile | undefined;
  readonly #contents: SafetensorsIndex;
  readonly #problems = new ProblemList();
  readonly #tensors = new Map<string, Tensor>();
  /** Tensor names that the index maps, by shard. */
  readonly #mapped = new Map<string, string[]>();

  constructor(
    files: readonly SourceFile[],
    index: SourceFile | undefined,
    contents: SafetensorsIndex,
  ) {
    this.#files = new Map(files.map((file) => [file.name, file]));
    this.#index = index;
    this.#contents = contents;
    for (const [tensor, shard] of contents.shardOf ?? []) {
      const names = this.#mapped.get(shard);
      if (names) names.push(tensor);
      else this.#mapped.set(shard, [tensor]);
    }
  }

  async read(source: Source): Promise<ShardedSafetensors> {
    this.#problems.addAll(this.#contents.problems);
    const states: FileState[] = this.#index ? [fileStateOf(this.#index)] : [];
    const tied: [string, string][] = [];
    let isWhole = this.#contents.shardOf !== null;
    for (const name of this.#shards()) {
      const file = this.#files.get(name);
      if (!file) {
        isWhole = false;
        this.#missingShard(name);
        continue;
      }
      const shard = await readSafetensorsFile(source, file);
      states.push(shard.file);
      tied.push(...tiesOf(shard));
      this.#take(shard);
      isWhole = isWhole && shard.isWhole;
    }
    this.#checkTotal();
    const tensors = [...this.#tensors.values()];
    return { files: states, tensors, tied, problems: this.#problems.toArray(), isWhole };
  }

  /** Mapped shards first, then those of the same save that nobody maps; stale ones are only told. */
  #shards(): string[] {
    const mapped = [...this.#mapped.keys()].sort();
    const current = mapped.flatMap((name) => parseShardName(name) ?? []);
    const counts = new Set(current.map(({ count }) => count));
    const others: string[] = [];
    for (const name of this.#files.keys()) {
      const shard = name.includes('/') || this.#mapped.has(name) ? null : parseShardName(name);
      if (!shard || !this.#isOurs(shard)) continue;
      if (mapped.length === 0 || counts.has(shard.count)) others.push(name);
      else this.#stale(shard, current);
    }
    return [...mapped, ...others];
  }

  /** A folder may hold several families: only the index's own one, where its name says which. */
  #isOurs({ family }: ShardName): boolean {
    if (!this.#index) return true;
    const stem = this.#index.name.slice(0, -indexSuffix.length);
    return family === stem || family === (stem.split('.')[0] ?? stem);
  }

  #stale({ name, count }: ShardName, current: readonly ShardName[]): void {
    const now = current[0] ? `, this save has ${current[0].count}` : '';
    const message = `a shard of another save that had ${count}${now}; it was not read`;
    this.#problems.add({ rule: 'shard-stale', kind: 'info', file: name, message });
  }

  #missingShard(name: string): void {
    const count = this.#mapped.get(name)?.length ?? 0;
    const message = `the index maps ${count} tensors to this file, which is not there`;
    this.#problems.add({ rule: 'shard-missing', kind: 'damage', file: name, message });
  }

  #take(shard: SafetensorsFile): void {
    const { name: file } = shard.file;
    this.#problems.addAll(shard.problems);
    const present = new Set<string>();
    for (const tensor of shard.tensors) {
      present.add(tensor.name);
      this.#takeTensor(tensor, file);
    }
    if (!shard.hasHeader) return;
    const listed = new Set(shard.problems.flatMap(({ tensor }) => tensor ?? []));
    for (const tensor of this.#mapped.get(file) ?? []) {
      // One that the shard has but cannot describe was told already.
      if (present.has(tensor) || listed.has(tensor)) continue;
      const message = 'the index maps it to this file, which does not hold it';
      this.#problems.add({ rule: 'tensor-missing', kind: 'damage', file, tensor, message });
    }
  }

  #takeTensor(tensor: Tensor, file: string): void {
    const { shardOf } = this.#contents;
    const home = shardOf?.get(tensor.name);
    if (shardOf && home === undefined) {
      const message = 'this shard holds it, the index does not list it';
      this.#add({ rule: 'tensor-unlisted', file, tensor: tensor.name, message });
    }
    const isSecond = this.#tensors.has(tensor.name) || (home !== undefined && home !== file);
    if (isSecond) {
      const message = `it lies in ${JSON.stringify(home ?? this.#tensors.get(tensor.name)?.file)} too`;
      this.#add({ rule: 'duplicate-name', file, tensor: tensor.name, message });
    } else this.#tensors.set(tensor.name, tensor);
  }

  #add(problem: Omit<Problem, 'kind'>): void {
    this.#problems.add({ ...problem, kind: 'damage' });
  }

  /** Some tools write the number of parameters here: worth a word, no more. */
  #checkTotal(): void {
    const { totalSize } = this.#contents;
    const isDamaged = this.#problems.toArray().some(({ kind }) => kind === 'damage');
    if (totalSize === null || !this.#index || isDamaged) return;
    let total = 0;
    for (const { dtype, elements } of this.#tensors.values())
      total += sizeBytes(dtype, elements) ?? 0;
    if (total === totalSize) return;
    const message = `total_size is ${totalSize}, the tensors have ${total} bytes`;
    this.#problems.add({ rule: 'note', kind: 'info', file: this.#index.name, message });
  }
}
