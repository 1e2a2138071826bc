/** `*.weights.json`: which of several HDF5 files holds which of a model's groups of variables. */
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { isJsonObject, type JsonValue, readStrictJson } from '../strict-json.ts';

/** About 100 bytes a layer. */
const bytesMost = 64 * 1024 * 1024;

/** An object in an object, and lists. */
const depthMost = 8;

/** A model of five gigabytes a file and this many files is none. */
const shardsMost = 10_000;

export interface WeightMap {
  /** Names of files, in the order of their numbers; empty where the map cannot be read. */
  readonly shards: readonly string[];
  /** Groups of variables (`layers/dense/vars`) with the files that each lies in. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** What is wrong with the map is data; a file that it names is never one of another folder. */
export async function readWeightMap(
  source: Source,
  { name: file, sizeBytes }: SourceFile,
): Promise<WeightMap> {
  const problems = new ProblemList();
  const nothing = (message: string, rule: Problem['rule'] = 'header-invalid'): WeightMap => {
    problems.add({ rule, kind: 'damage', file, message });
    return { shards: [], groups: new Map(), problems: problems.toArray(), isWhole: false };
  };
  if (sizeBytes > bytesMost) return nothing(`it has more than ${bytesMost} bytes`);
  const bytes = new Uint8Array(sizeBytes);
  await source.read(file, 0, bytes);
  const json = readStrictJson(bytes, { where: file, maxDepth: depthMost, allowNonFinite: true });
  if (!json.ok) {
    const rule = json.offset >= sizeBytes ? 'file-truncated' : 'header-invalid';
    return nothing(`it cannot be read: ${json.message}`, rule);
  }
  const map = isJsonObject(json.value) ? json.value.get('weight_map') : undefined;
  if (map === undefined || !isJsonObject(map)) return nothing('it holds no weight_map');
  const groups = new Map<string, readonly string[]>();
  const shards = new Set<string>();
  let isWhole = true;
  for (const [path, value] of map) {
    const names = namesOf(value);
    const bad = names?.find((name) => name.includes('/') || escapeReason(name) !== null);
    if (!names || bad !== undefined) {
      isWhole = false;
      const message = `${JSON.stringify(path)} lies in no file of this folder`;
      const rule = names ? 'path-escape' : 'header-invalid';
      problems.add({ rule, kind: names ? 'security' : 'damage', file, message });
      continue;
    }
    groups.set(path.replace(/^\//, ''), names);
    for (const name of names) shards.add(name);
  }
  if (shards.size > shardsMost) return nothing(`it names more than ${shardsMost} files`);
  return { shards: [...shards].sort(), groups, problems: problems.toArray(), isWhole };
}

/** One name, or a list of them. */
function namesOf(value: JsonValue): readonly string[] | null {
  const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  const names = items.filter((item) => typeof item === 'string');
  return names.length > 0 && names.length === items.length ? names : null;
}
