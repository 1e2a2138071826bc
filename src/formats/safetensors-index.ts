/** `*.safetensors.index.json`: which tensor lies in which shard. Names in it are not believed. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { escapeReason } from '../sources/safe-join.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { ProblemList } from './problem-list.ts';
import { isJsonObject, type JsonObject, readStrictJson, toDouble } from './strict-json.ts';

const indexDepth = 64;

/** A million tensors make an index of about 100 MB. */
const indexBytesMost = 256 * 1024 * 1024;

export interface SafetensorsIndex {
  /** Tensor to the bare name of its shard; null where the index could not be read. */
  readonly shardOf: ReadonlyMap<string, string> | null;
  /** Bytes of all tensors, as the index says. */
  readonly totalSize: number | null;
  readonly problems: readonly Problem[];
}

/**
 * Reads and checks an index.
 * @throws LaikaError `limit-exceeded` (size, nesting); as `Source.read`.
 */
export async function readIndex(source: Source, file: SourceFile): Promise<SafetensorsIndex> {
  if (file.sizeBytes > indexBytesMost) {
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The index has more than ${indexBytesMost} bytes`,
      where: file.name,
    });
  }
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(file.name, 0, bytes);
  const json = readStrictJson(bytes, { where: file.name, maxDepth: indexDepth });
  if (!json.ok) return broken(file, json.message, json.offset);
  const map = isJsonObject(json.value) ? json.value.get('weight_map') : undefined;
  if (!isJsonObject(map) || !isJsonObject(json.value)) {
    return broken(file, 'it holds no weight_map', 0);
  }
  const problems = new ProblemList();
  for (const { path, name, offset } of json.duplicates) {
    if (path.length > 0 && String(path) !== 'weight_map') continue;
    const message = 'the index holds this name twice: readers disagree about which one counts';
    const about = { file: file.name, offset, tensor: name, message };
    problems.add({ rule: 'duplicate-name', kind: 'security', ...about });
  }
  const metadata = json.value.get('metadata');
  const totalSize = isJsonObject(metadata) ? toDouble(metadata.get('total_size')) : null;
  const shardOf = checkedMap(map, file, problems);
  return { shardOf, totalSize, problems: problems.toArray() };
}

function broken(file: SourceFile, message: string, offset: number): SafetensorsIndex {
  const problem: Problem = {
    rule: 'header-invalid',
    kind: 'damage',
    file: file.name,
    offset,
    message: `the index cannot be read: ${message}`,
  };
  return { shardOf: null, totalSize: null, problems: [problem] };
}

function checkedMap(map: JsonObject, file: SourceFile, problems: ProblemList): Map<string, string> {
  const shardOf = new Map<string, string>();
  const refused = new Set<string>();
  for (const [tensor, shard] of map) {
    if (typeof shard !== 'string') {
      const message = 'its shard in the index is no file name';
      problems.add({ rule: 'header-invalid', kind: 'damage', file: file.name, tensor, message });
      continue;
    }
    const reason = escapeReason(shard) ?? (shard.includes('/') ? 'it names a folder' : null);
    if (reason === null) {
      shardOf.set(tensor, shard);
    } else if (!refused.has(shard)) {
      refused.add(shard);
      const message = `the index points to ${JSON.stringify(shard)}, which was not opened: ${reason}`;
      problems.add({ rule: 'path-escape', kind: 'security', file: file.name, tensor, message });
    }
  }
  return shardOf;
}
