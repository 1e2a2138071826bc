/** The arrays of a store by name, and reading all of them. */
import type { EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Placement, unowned } from '../../checkpoint/tensor.ts';
import { inParallel } from '../../sources/in-parallel.ts';
import type { Source } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { isJsonObject, type JsonObject, readStrictJson } from '../strict-json.ts';
import { type ArrayLayout, invalid, LayoutFault } from './array-layout.ts';
import { readArray } from './array-reader.ts';
import { type ArrayStore, bytesOf, lengthOf } from './array-store.ts';
import { readZarr2 } from './zarr2.ts';
import { readZarr3 } from './zarr3.ts';

const metadataName = /^(?:(.*)\/)?(\.zarray|zarr\.json)$/s;

/** Attributes may be large; what the arrays are is not. */
const metadataBytesMost = 16 * 1024 * 1024;

const metadataDepth = 64;

const arraysMost = 1_000_000;

export interface FoundArrays {
  readonly tensors: readonly TensorDraft[];
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  /** Names of all arrays, of those too that could not be listed as tensors. */
  readonly names: ReadonlySet<string>;
}

export interface ArraysToFind {
  readonly store: ArrayStore;
  readonly missing: 'damage' | 'fill';
}

interface Candidate {
  readonly name: string;
  readonly key: string;
  readonly isThird: boolean;
}

/** @throws LaikaError `limit-exceeded` (arrays, chunks, metadata); as `Source.read`. */
export async function readArrays(source: Source, from: ArraysToFind): Promise<FoundArrays> {
  const candidates = candidatesOf(from.store);
  const names = new Set(candidates.map(({ name }) => name));
  const counts = countsOf(from.store, names);
  const problems = new ProblemList();
  const tensors: TensorDraft[] = [];
  const encoded: EncodedFile[] = [];
  const checksums: StoredChecksum[] = [];
  const read = await inParallel(candidates, (each) => {
    return readOne(source, each, { ...from, stored: counts.get(each.name) ?? 0 });
  });
  for (const one of read) {
    problems.addAll(one.problems);
    if (one.tensor) tensors.push(one.tensor);
    for (const each of one.encoded) encoded.push(each);
    for (const each of one.checksums) checksums.push(each);
  }
  return { tensors, encoded, checksums, problems: problems.toArray(), names };
}

function candidatesOf({ values, file }: ArrayStore): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const key of values.keys()) {
    const match = metadataName.exec(key);
    if (!match) continue;
    const [, name = ''] = match;
    const isThird = match[2] === 'zarr.json';
    // A folder that was written in both versions is read in the newer one.
    if (!found.has(name) || isThird) found.set(name, { name, key, isThird });
    if (found.size <= arraysMost) continue;
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `There are more than ${arraysMost} arrays`,
      where: file,
    });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Keys of each array, its metadata aside. */
function countsOf({ values }: ArrayStore, names: ReadonlySet<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of values.keys()) {
    if (metadataName.test(key)) continue;
    if (names.has('')) counts.set('', (counts.get('') ?? 0) + 1);
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) {
      const name = key.slice(0, at);
      if (!names.has(name)) continue;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      break;
    }
  }
  return counts;
}

interface One {
  readonly tensor: TensorDraft | null;
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
}

async function readOne(
  source: Source,
  { name, key, isThird }: Candidate,
  from: ArraysToFind & { stored: number },
): Promise<One> {
  const { store } = from;
  const value = store.values.get(key);
  const file = value?.kind === 'range' ? value.file : store.file;
  try {
    const metadata = await readMetadata(source, store, key);
    if (isThird && metadata.get('node_type') === 'group') return none([]);
    const layout = isThird ? readZarr3(metadata) : readZarr2(metadata);
    if (layout.unreadType !== undefined) return unreadOne(name, { file, layout });
    const read = await readArray(source, { name, layout, ...from });
    return { ...read, tensor: tensorOf(name, { file, layout, placement: read.placement }) };
  } catch (error) {
    if (!(error instanceof LayoutFault)) throw error;
    const { rule, kind, message } = error;
    return none([{ rule, kind, file, tensor: name, message }]);
  }
}

/** Listed with its shape; what its elements are is not told. */
function unreadOne(name: string, of: { file: string; layout: ArrayLayout }): One {
  const storedDtype = of.layout.unreadType ?? '';
  const reason = `elements of ${storedDtype} are not read`;
  const tensor = tensorOf(name, { ...of, placement: { kind: 'absent', reason } });
  const message = `its ${reason}`;
  const where = { file: of.file, tensor: name };
  const problem = { rule: 'dtype-unsupported', kind: 'info', ...where, message } as const;
  return { ...none([problem]), tensor: { ...tensor, storedDtype } };
}

function none(problems: readonly Problem[]): One {
  return { tensor: null, encoded: [], checksums: [], problems };
}

async function readMetadata(source: Source, store: ArrayStore, key: string): Promise<JsonObject> {
  const value = store.values.get(key);
  if (!value) throw invalid('its metadata is missing');
  const length = lengthOf(value);
  if (length > metadataBytesMost) {
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The metadata of an array has more than ${metadataBytesMost} bytes`,
      where: key,
    });
  }
  if (value.kind === 'range' && !(value.offset + length <= (store.sizes.get(value.file) ?? -1))) {
    throw new LayoutFault('file-truncated', 'damage', 'its metadata lies past the end of its file');
  }
  const bytes = await bytesOf(source, value);
  const json = readStrictJson(bytes, { where: key, maxDepth: metadataDepth, allowNonFinite: true });
  if (!json.ok) {
    const rule = json.offset >= length ? 'file-truncated' : 'header-invalid';
    throw new LayoutFault(rule, 'damage', `its metadata cannot be read: ${json.message}`);
  }
  if (!isJsonObject(json.value)) throw invalid('its metadata is no JSON object');
  return json.value;
}

function tensorOf(
  name: string,
  of: { file: string; layout: ArrayLayout; placement: Placement },
): TensorDraft {
  const { dtype, shape, elements } = of.layout;
  const { file, placement } = of;
  return { name, role: 'other', ...unowned, file, dtype, shape, elements, placement };
}
