/**
 * safetensors shards of torch's distributed checkpoint before they are put together: each rank's
 * file holds its parts, and `DCP_SHARDING_INFO` in its metadata says where they belong.
 */
import type { Checkpoint, FileState } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Box, Tensor } from '../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { tilingFault } from './box-tiling.ts';
import type { Format, Sighting } from './format.ts';
import { joinBoxes } from './join-boxes.ts';
import { ProblemList } from './problem-list.ts';
import { readSafetensorsFile, type SafetensorsFile } from './safetensors-file.ts';
import { isJsonObject, type JsonObject, readStrictJson, toDouble } from './strict-json.ts';

export const dcpHf: Format = {
  id: 'dcp-hf',
  title: 'PyTorch: safetensors shards of a distributed checkpoint',
  recognise: ({ source, files }) =>
    !source.isFile && shardsOf(files).length > 0 ? 'certain' : 'no',
  complete: async (sighting) => (await open(sighting)).complete,
  open,
};

const shardName = /^shard-([0-9]{5,6})-[^/]+-[0-9]{5,6}-of-[0-9]{5,6}\.safetensors$/;

/** Names, offsets, lists. */
const infoDepth = 8;

interface Shard {
  readonly file: SourceFile;
  readonly rank: number;
}

function shardsOf(files: readonly SourceFile[]): Shard[] {
  return files.flatMap((file) => {
    const match = shardName.exec(file.name);
    return match ? [{ file, rank: Number(match[1]) - 1 }] : [];
  });
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const shards = shardsOf(files);
  const reader = new ShardReader();
  for (const shard of shards) await reader.take(source, shard);
  const tensors = reader.join();
  for (const problem of missingRanks(shards)) reader.problems.add(problem);
  const problems = reader.problems.toArray();
  return {
    path: source.path,
    layout: 'dcp-hf',
    step: null,
    complete: reader.isWhole && problems.every(({ kind }) => kind === 'info'),
    files: reader.files,
    tensors,
    optimizers: [],
    frozen: [],
    tied: [],
    hasScheduler: false,
    checksums: [],
    problems,
  };
}

/** Parts of one tensor. */
interface Parts {
  readonly first: Tensor;
  readonly boxes: Box[];
}

class ShardReader {
  readonly files: FileState[] = [];
  readonly problems = new ProblemList();
  readonly #parts = new Map<string, Parts>();
  isWhole = true;

  async take(source: Source, { file, rank }: Shard): Promise<void> {
    const shard = await readSafetensorsFile(source, file);
    this.files.push(shard.file);
    this.problems.addAll(shard.problems);
    this.isWhole = this.isWhole && shard.isWhole;
    const info = this.#info(shard);
    for (const tensor of shard.tensors) {
      const origin = offsetsOf(info, tensor);
      if (origin) this.#add(tensor, origin, rank);
      else this.#damage(tensor.name, file.name, 'its place in the whole tensor is not told');
    }
  }

  join(): Tensor[] {
    return [...this.#parts].map(([name, { first, boxes }]) => {
      const shape = first.shape.map((_, d) => {
        return boxes.reduce((most, { origin, sizes }) => {
          return Math.max(most, (origin[d] as number) + (sizes[d] as number));
        }, 0);
      });
      const elements = shape.reduce((product, n) => product * n, 1);
      const fault = tilingFault(shape, boxes);
      const whole = { ...first, shape, elements };
      if (fault === null) return { ...whole, placement: joinBoxes(whole, boxes) };
      this.#damage(name, first.file, `the ranks’ parts do not make it up: ${fault}`);
      const reason = 'a rank’s part of it is not there';
      return { ...whole, placement: { kind: 'absent', reason } };
    });
  }

  #add(tensor: Tensor, origin: readonly number[], rank: number): void {
    const { name, shape: sizes, placement, dtype } = tensor;
    if (placement.kind === 'absent' || placement.kind === 'boxes') return;
    const parts = this.#parts.get(name) ?? { first: tensor, boxes: [] };
    this.#parts.set(name, parts);
    if (parts.first.dtype !== dtype || parts.first.shape.length !== sizes.length) {
      this.#damage(name, tensor.file, `rank ${rank} holds it as ${dtype} [${sizes}]`);
    } else parts.boxes.push({ origin, sizes, placement, rank });
  }

  #damage(tensor: string, file: string, message: string): void {
    this.problems.add({ rule: 'shape-mismatch', kind: 'damage', file, tensor, message });
  }

  /** What the file says of its parts; empty where it says nothing that can be read. */
  #info({ file, metadata }: SafetensorsFile): JsonObject {
    const text = metadata.get('DCP_SHARDING_INFO');
    if (text === undefined) return new Map();
    const json = readStrictJson(Buffer.from(text), { where: file.name, maxDepth: infoDepth });
    if (json.ok && isJsonObject(json.value)) return json.value;
    const message = 'DCP_SHARDING_INFO in its metadata is no JSON object';
    const problem = { rule: 'header-invalid', kind: 'damage', file: file.name, message } as const;
    this.problems.add(problem);
    return new Map();
  }
}

/** A tensor without an entry is whole. Null: its entry is no list of offsets. */
function offsetsOf(info: JsonObject, { name, shape }: Tensor): readonly number[] | null {
  const entry = info.get(name);
  if (entry === undefined) return shape.map(() => 0);
  const stored = isJsonObject(entry) ? entry.get('saved_offsets') : undefined;
  const offsets = Array.isArray(stored) ? stored.map((value) => toDouble(value)) : [];
  const origin = offsets.flatMap((value, d) => {
    const isSafe = value !== null && value >= 0 && Number.isSafeInteger(value + (shape[d] ?? 0));
    return isSafe ? [value] : [];
  });
  return origin.length === shape.length ? origin : null;
}

/** Ranks count from the first: one before the highest must be there. */
function missingRanks(shards: readonly Shard[]): Problem[] {
  const present = new Set(shards.map(({ rank }) => rank));
  const last = shards.reduce((most, { rank }) => Math.max(most, rank), 0);
  const problems: Problem[] = [];
  for (let rank = 0; rank < last && problems.length < 100; rank += 1) {
    if (present.has(rank)) continue;
    const example = shards[0]?.file.name ?? '';
    const file = example.replace(/^shard-[0-9]+/, `shard-${String(rank + 1).padStart(5, '0')}`);
    const message = 'the file of this rank is missing';
    problems.push({ rule: 'shard-missing', kind: 'damage', file, message });
  }
  return problems;
}
