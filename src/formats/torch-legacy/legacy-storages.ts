/** Storages of a stream: they follow the pickles in the order of the list of keys, without padding. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { readRanges } from '../coalesced-reads.ts';
import { isSequence, type PicklePersistent, type PickleValue } from '../pickle/values.ts';
import type { ElementType } from '../torch-zip/element-types.ts';
import { isPersistent } from '../torch-zip/rebuild.ts';
import {
  countOf,
  damage,
  readStorageId,
  type StorageId,
  type StorageResolver,
  type StorageResult,
} from '../torch-zip/storage-id.ts';

/** Every storage begins with the number of its elements. */
const countBytes = 8;

interface Place {
  /** Of the count. */
  readonly offset: number;
  readonly type: ElementType;
  readonly elements: number;
  /** All of its bytes are in the file. */
  readonly isThere: boolean;
}

/** What follows the pickles. */
export interface StreamLayout {
  readonly places: ReadonlyMap<string, Place>;
  readonly problems: readonly Problem[];
  /** Every storage is there. */
  readonly isWhole: boolean;
}

interface Stream {
  readonly file: string;
  readonly sizeBytes: number;
  /** First byte after the pickles. */
  readonly start: number;
}

/** Classes and counts by key, as the object refers to them. */
function referredStorages(persistents: readonly PicklePersistent[]): Map<string, StorageId> {
  const found = new Map<string, StorageId>();
  for (const { id } of persistents) {
    const read = readStorageId(id, 6);
    if (!('broken' in read) && !found.has(read.key)) found.set(read.key, read);
  }
  return found;
}

/** Lays the storages out behind the pickles; the counts before their bytes are not read yet. */
export function layOut(
  stream: Stream,
  keys: PickleValue | undefined,
  persistents: readonly PicklePersistent[],
): StreamLayout {
  const { file, sizeBytes } = stream;
  const problems: Problem[] = [];
  const fault = (rule: Problem['rule'], offset: number, message: string): StreamLayout => {
    problems.push({ rule, kind: 'damage', file, offset, message });
    return { places, problems, isWhole: false };
  };
  const places = new Map<string, Place>();
  const referred = referredStorages(persistents);
  let offset = stream.start;
  for (const key of isSequence(keys) ? keys.items : []) {
    const storage = typeof key === 'string' ? referred.get(key) : undefined;
    if (typeof key !== 'string' || !storage) {
      return fault('header-invalid', offset, 'it holds a storage that its object does not name');
    }
    if (places.has(key)) return fault('duplicate-name', offset, `it lists storage ${key} twice`);
    const elements = countOf(storage.count);
    const end = offset + countBytes + (elements ?? Number.NaN) * storage.type.bytes;
    if (elements === null || !Number.isSafeInteger(end)) {
      return fault('header-invalid', offset, `storage ${key} has no number of elements`);
    }
    places.set(key, { offset, type: storage.type, elements, isThere: end <= sizeBytes });
    offset = end;
  }
  if (!isSequence(keys)) return fault('header-invalid', offset, 'it has no list of storages');
  if (offset > sizeBytes) {
    const message = `its storages end at byte ${offset}, and it has ${sizeBytes}`;
    return fault('file-truncated', sizeBytes, message);
  }
  if (offset < sizeBytes) {
    fault('trailing-bytes', offset, `${sizeBytes - offset} bytes follow its last storage`);
  }
  return { places, problems, isWhole: true };
}

/** Compares the count before each storage with that in the object. */
export async function checkCounts(
  source: Source,
  file: string,
  { places }: StreamLayout,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const ranges = [...places].flatMap(([key, place]) => {
    return place.isThere ? [{ key, ...place, length: countBytes }] : [];
  });
  await readRanges({ source, file }, ranges, ({ key, offset, elements }, bytes) => {
    const stored = Buffer.from(bytes).readBigInt64LE(0);
    if (stored === BigInt(elements)) return;
    const message = `storage ${key} says that it has ${stored} elements, the object ${elements}`;
    problems.push({ rule: 'header-invalid', kind: 'damage', file, offset, message });
  });
  return problems;
}

/** Finds storages by the layout; a view of a storage is a part of it. */
export class LegacyStorages implements StorageResolver {
  readonly #layout: StreamLayout;

  constructor(layout: StreamLayout) {
    this.#layout = layout;
  }

  resolve(reference: PickleValue): StorageResult {
    if (!isPersistent(reference)) return damage('header-invalid', 'its storage is no storage');
    const id = readStorageId(reference.id, 6);
    if ('broken' in id) return id;
    const { key, type } = id;
    const nothing = { key, type, elements: 0, first: 0, bytes: null };
    if (id.device === 'meta') return { ...nothing, absent: 'meta tensor' };
    const place = this.#layout.places.get(key);
    if (!place)
      return damage('tensor-missing', `its bytes are missing: there is no storage ${key}`);
    const { first, elements } = viewOf(id, place) ?? { first: 0, elements: -1 };
    if (elements < 0) {
      return damage('tensor-out-of-bounds', `its view leaves storage ${key} of ${place.elements}`);
    }
    const found = { key, type, elements, first };
    if (!place.isThere) return { ...found, bytes: null, absent: 'its bytes are past the end' };
    const offset = place.offset + countBytes + first * type.bytes;
    return { ...found, bytes: { kind: 'file', offset }, absent: null };
  }
}

/** Null: the reference does not fit the storage. */
function viewOf(
  { type, count, view }: StorageId,
  place: Place,
): { first: number; elements: number } | null {
  if (type.bytes !== place.type.bytes || countOf(count) !== place.elements) return null;
  if (view === null || view === undefined) return { first: 0, elements: place.elements };
  const [, offset, length] = isSequence(view) ? view.items : [];
  const [first, elements] = [countOf(offset), countOf(length)];
  if (first === null || elements === null || first + elements > place.elements) return null;
  return { first, elements };
}
