/** `_METADATA` of an item: which arrays were saved, and how a chunk that is missing is to be taken. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import type { Source } from '../../sources/source.ts';
import { isJsonObject, type JsonObject, type JsonValue, readStrictJson } from '../strict-json.ts';

/** About 300 bytes a leaf. */
const metadataBytesMost = 256 * 1024 * 1024;

const metadataDepth = 64;

export interface JsonFile {
  readonly value: JsonObject | null;
  readonly problem: Problem | null;
}

/**
 * A small JSON file of the checkpoint; what is wrong with it is data.
 * @throws LaikaError `limit-exceeded` (size, nesting); as `Source.read`.
 */
export async function readJsonFile(
  source: Source,
  { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
): Promise<JsonFile> {
  if (sizeBytes > metadataBytesMost) {
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The metadata has more than ${metadataBytesMost} bytes`,
      where: name,
    });
  }
  const bytes = new Uint8Array(sizeBytes);
  await source.read(name, 0, bytes);
  const options = { where: name, maxDepth: metadataDepth, allowNonFinite: true };
  const json = readStrictJson(bytes, options);
  if (json.ok && isJsonObject(json.value)) return { value: json.value, problem: null };
  const message = json.ok ? 'it is no JSON object' : `it cannot be read: ${json.message}`;
  const rule = !json.ok && json.offset >= sizeBytes ? 'file-truncated' : 'header-invalid';
  return { value: null, problem: { rule, kind: 'damage', file: name, message } };
}

/** A leaf that is stored as an array of its own. */
const arrayTypes = /^(jax\.Array|np\.ndarray|scalar)$/;

export interface SavedTree {
  /** Names of arrays that must be there. */
  readonly names: readonly string[];
  /** Chunks of zeros were written too; null: the writer did not say. */
  readonly storesZeros: boolean | null;
  readonly problems: readonly Problem[];
}

/** What the metadata promises. Names that point out of the folder are no names. */
export function readSavedTree(metadata: JsonObject, file: string): SavedTree {
  const problems: Problem[] = [];
  const names: string[] = [];
  const tree = metadata.get('tree_metadata');
  for (const [path, leaf] of isJsonObject(tree) ? tree : []) {
    const name = nameOf(leaf);
    if (name === null || !isArray(leaf)) continue;
    const reason = escapeReason(name);
    if (reason === null) {
      names.push(name);
    } else if (problems.length < 100) {
      const message = `it names the array ${JSON.stringify(name)} (${path}): ${reason}`;
      problems.push({ rule: 'path-escape', kind: 'security', file, tensor: name, message });
    }
  }
  const storesZeros = metadata.get('store_array_data_equal_to_fill_value');
  return { names, problems, storesZeros: typeof storesZeros === 'boolean' ? storesZeros : null };
}

/** Keys of the path joined by dots, as the array's folder is called. */
function nameOf(leaf: JsonValue): string | null {
  const keys = isJsonObject(leaf) ? leaf.get('key_metadata') : null;
  if (!Array.isArray(keys)) return null;
  const parts = (keys as readonly JsonValue[]).map((each) => {
    const key = isJsonObject(each) ? each.get('key') : null;
    return typeof key === 'string' || typeof key === 'number' ? String(key) : '';
  });
  return parts.join('.');
}

function isArray(leaf: JsonValue): boolean {
  const value = isJsonObject(leaf) ? leaf.get('value_metadata') : null;
  if (!isJsonObject(value) || value.get('skip_deserialize') === true) return false;
  const type = value.get('value_type');
  return typeof type === 'string' && arrayTypes.test(type);
}
