/**
 * `.metadata` of torch's distributed checkpoint: which tensors there are, how they were cut, and
 * where every part lies. Read as data; none of its numbers is believed before files were looked at.
 */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { attributeOf, attributesOf, classNameOf, integersOf } from '../pickle/attributes.ts';
import { maxMemoryBytes, maxPickleBytes } from '../pickle/limits.ts';
import { pickleLimit } from '../pickle/machine.ts';
import { pickleProblems } from '../pickle/pickle-problems.ts';
import { readPickle } from '../pickle/read-pickle.ts';
import { isDict, isSequence, type PickleValue } from '../pickle/values.ts';
import { ProblemList } from '../problem-list.ts';
import { type ElementType, elementTypeOf } from '../torch-zip/element-types.ts';

/** A part of a tensor with edges along its dimensions, in elements. */
export interface DcpChunk {
  readonly origin: readonly number[];
  readonly sizes: readonly number[];
}

export interface DcpTensor {
  readonly name: string;
  /** Null: only the parts say it. */
  readonly type: ElementType | null;
  /** Of the whole tensor. */
  readonly shape: readonly number[];
  readonly elements: number;
  readonly chunks: readonly DcpChunk[];
}

/** Bytes of one item: a part of a tensor, or a pickled value. */
export interface DcpSlice {
  readonly name: string;
  /** Of the chunk; null for a pickled value. */
  readonly origin: readonly number[] | null;
  /** As stored: not believed. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  /** What was done to the bytes, in order: `stream.zstd/1`. */
  readonly transforms: readonly string[];
}

export interface DcpMetadata {
  readonly tensors: ReadonlyMap<string, DcpTensor>;
  /** Names of pickled values. */
  readonly values: ReadonlySet<string>;
  /** Path of every name in the nested state that was saved; missing before torch 2.0. */
  readonly paths: ReadonlyMap<string, readonly (string | number)[]>;
  readonly slices: readonly DcpSlice[];
  /** What else is there: `mcore_data`. */
  readonly attributes: ReadonlyMap<PickleValue, PickleValue>;
}

export interface DcpMetadataReading {
  /** Null: nothing is known of the checkpoint. */
  readonly metadata: DcpMetadata | null;
  readonly problems: readonly Problem[];
}

/** Parts and values together; the largest runs have some hundred thousand. */
const itemsMost = 2_000_000;

/** Metadata below this takes no more memory than any pickle may. */
const smallBytes = 2 ** 23;

/** Memory for metadata beside a large checkpoint, above what any pickle may take. */
const maxFurtherBytes = 2 ** 31;

/** Names inside each other. */
const pathMost = 64;

/**
 * Reads one metadata file. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readDcpMetadata(
  source: Source,
  file: SourceFile,
): Promise<DcpMetadataReading> {
  if (file.sizeBytes > maxPickleBytes) {
    throw pickleLimit(file.name, `it is longer than ${maxPickleBytes} bytes`);
  }
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(file.name, 0, bytes);
  const pickle = readPickle(bytes, file.name, { memory: await memoryFor(source, file) });
  const place = { file: file.name, offset: 0, sizeBytes: file.sizeBytes };
  const problems = pickleProblems(pickle, place);
  if (pickle.value === undefined) return { metadata: null, problems };
  return new MetadataReader(file.name, problems).read(pickle.value);
}

/** A bomb has nothing to describe: metadata may take more where many bytes of tensors lie beside it. */
async function memoryFor(source: Source, file: SourceFile): Promise<number> {
  const most = maxMemoryBytes - file.sizeBytes;
  if (file.sizeBytes < smallBytes) return most;
  const files = await source.list();
  const described = files.filter(({ name }) => name.endsWith('.distcp'));
  const total = described.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return most + Math.min(total, maxFurtherBytes);
}

class MetadataReader {
  readonly #file: string;
  readonly #problems = new ProblemList();
  readonly #tensors = new Map<string, DcpTensor>();
  readonly #values = new Set<string>();
  #items = 0;

  constructor(file: string, problems: readonly Problem[]) {
    this.#file = file;
    this.#problems.addAll(problems);
  }

  read(root: PickleValue): DcpMetadataReading {
    const attributes = attributesOf(root);
    const entries = attributes?.get('state_dict_metadata');
    if (!attributes || !isDict(entries)) {
      this.#damage('it is no metadata of a distributed checkpoint');
      return { metadata: null, problems: this.#problems.toArray() };
    }
    for (const [name, entry] of entries.entries) {
      if (typeof name !== 'string') this.#damage('a name in it is no text');
      else this.#entry(name, entry);
    }
    const metadata: DcpMetadata = {
      tensors: this.#tensors,
      values: this.#values,
      paths: this.#paths(attributes.get('planner_data')),
      slices: this.#slices(attributes.get('storage_data')),
      attributes,
    };
    return { metadata, problems: this.#problems.toArray() };
  }

  #damage(message: string, tensor?: string): void {
    const about = tensor === undefined ? {} : { tensor };
    this.#problems.add({
      rule: 'header-invalid',
      kind: 'damage',
      file: this.#file,
      ...about,
      message,
    });
  }

  #count(): void {
    this.#items += 1;
    if (this.#items <= itemsMost) return;
    const what = `The checkpoint has more than ${itemsMost} items`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: this.#file });
  }

  #entry(name: string, entry: PickleValue): void {
    this.#count();
    if (classNameOf(entry) === 'BytesStorageMetadata') {
      this.#values.add(name);
      return;
    }
    const tensor = this.#tensor(name, entry);
    if (typeof tensor === 'string') this.#damage(tensor, name);
    else this.#tensors.set(name, tensor);
  }

  /** Text says what is wrong with it. */
  #tensor(name: string, entry: PickleValue): DcpTensor | string {
    const stored = integersOf(attributeOf(entry, 'size'));
    const parts = attributeOf(entry, 'chunks');
    if (classNameOf(entry) !== 'TensorStorageMetadata' || !stored || !isSequence(parts)) {
      return 'its entry is neither a tensor nor a value';
    }
    const elements = stored.reduce((product, n) => product * BigInt(n), 1n);
    if (elements > BigInt(Number.MAX_SAFE_INTEGER) / 2n) {
      return `its shape [${stored}] has more elements than any storage`;
    }
    const type = typeOf(attributeOf(entry, 'properties'));
    // torch counts bytes of its packed type, everyone else elements.
    const factor = type?.dtype === 'f4e2m1' ? 2 : 1;
    const chunks: DcpChunk[] = [];
    for (const part of parts.items) {
      this.#count();
      const origin = integersOf(attributeOf(part, 'offsets'));
      const sizes = integersOf(attributeOf(part, 'sizes'));
      if (!origin || !sizes) return 'one of its parts has no place';
      chunks.push({ origin: widened(origin, factor), sizes: widened(sizes, factor) });
    }
    const shape = widened(stored, factor);
    return { name, type, shape, elements: Number(elements) * factor, chunks };
  }

  #paths(planner: PickleValue | undefined): Map<string, readonly (string | number)[]> {
    const paths = new Map<string, readonly (string | number)[]>();
    for (const [name, path] of isDict(planner) ? planner.entries : []) {
      if (typeof name !== 'string' || !isSequence(path)) continue;
      if (path.items.length === 0 || path.items.length > pathMost) continue;
      const keys = (path.items as readonly PickleValue[]).filter(isKey);
      if (keys.length === path.items.length) paths.set(name, keys);
    }
    return paths;
  }

  #slices(stored: PickleValue | undefined): DcpSlice[] {
    if (!isDict(stored)) {
      this.#damage('it does not say where anything lies');
      return [];
    }
    const slices: DcpSlice[] = [];
    for (const [index, info] of stored.entries) {
      this.#count();
      const slice = sliceOf(index, info);
      if (typeof slice === 'string') this.#damage(slice);
      else slices.push(slice);
    }
    return slices;
  }
}

function isKey(value: PickleValue): value is string | number {
  return typeof value === 'string' || Number.isSafeInteger(value);
}

/** The last dimension counts `factor` times as much. */
function widened(sizes: readonly number[], factor: number): readonly number[] {
  if (factor === 1 || sizes.length === 0) return sizes;
  return [...sizes.slice(0, -1), factor * (sizes.at(-1) as number)];
}

/** A tuple since torch 1.13, whose first item is the type; attributes before. */
function typeOf(properties: PickleValue | undefined): ElementType | null {
  const items = attributeOf(properties, null);
  const stored = isSequence(items) ? items.items[0] : attributeOf(properties, 'dtype');
  const name = classNameOf(stored ?? null);
  return name === null ? null : elementTypeOf(name);
}

function sliceOf(index: PickleValue, info: PickleValue): DcpSlice | string {
  const name = attributeOf(index, 'fqn');
  if (typeof name !== 'string') return 'a storage entry names no item';
  const stored = attributeOf(index, 'offset') ?? null;
  const origin = stored === null ? null : integersOf(stored);
  if (stored !== null && !origin) return `a part of '${name}' has no place`;
  const file = attributeOf(info, 'relative_path');
  const offset = attributeOf(info, 'offset');
  const length = attributeOf(info, 'length');
  if (typeof file !== 'string') return `a part of '${name}' lies in no file`;
  if (!isSize(offset) || !isSize(length)) {
    return `a part of '${name}' lies at byte ${String(offset)} with ${String(length)} bytes`;
  }
  const transforms = attributeOf(info, 'transform_descriptors') ?? null;
  if (transforms !== null && !isSequence(transforms)) return `a part of '${name}' is transformed`;
  const applied = transforms === null ? [] : transforms.items.map(String);
  return { name, origin, file, offset, length, transforms: applied };
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
