/** Storages that tensors refer to, resolved to members of the archive. */
import type { PickleValue } from '../pickle/values.ts';
import type { ZipArchive } from '../zip/zip-archive.ts';
import { isPersistent } from './rebuild.ts';
import {
  countOf,
  damage,
  readStorageId,
  type StorageBytes,
  type StorageId,
  type StorageResolver,
  type StorageResult,
} from './storage-id.ts';

export class Storages implements StorageResolver {
  readonly #archive: ZipArchive;
  /** The archive was saved without its storages' bytes. */
  readonly #skipped: boolean;
  readonly #known = new Map<PickleValue, StorageResult>();
  readonly #used = new Set<string>();

  constructor(archive: ZipArchive, skipped: boolean) {
    this.#archive = archive;
    this.#skipped = skipped;
  }

  /** Keys of the storages that were asked for. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  resolve(reference: PickleValue): StorageResult {
    const known = this.#known.get(reference);
    if (known) return known;
    const result = this.#resolve(reference);
    this.#known.set(reference, result);
    return result;
  }

  #resolve(reference: PickleValue): StorageResult {
    if (!isPersistent(reference)) return damage('header-invalid', 'its storage is no storage');
    const id = readStorageId(reference.id, 5);
    if ('broken' in id) return id;
    const { key, type, device } = id;
    this.#used.add(key);
    if (device === 'meta') {
      return { key, type, elements: 0, first: 0, bytes: null, absent: 'meta tensor' };
    }
    return this.#find(id);
  }

  #find({ key, type, count }: StorageId): StorageResult {
    const member = this.#archive.members.get(`data/${key}`);
    if (!member)
      return damage('tensor-missing', `its bytes are missing: there is no member data/${key}`);
    const elements = countOf(count);
    const promised = elements === null ? null : elements * type.bytes;
    if (elements === null || promised === null || promised > member.sizeBytes) {
      const held = `data/${key} has ${member.sizeBytes} bytes`;
      const message = `its storage promises ${String(count)} elements; ${held}`;
      return damage('tensor-out-of-bounds', message);
    }
    if (promised < member.sizeBytes) {
      const message = `its storage promises ${promised} bytes; data/${key} has ${member.sizeBytes}`;
      return damage('shape-mismatch', message);
    }
    const bytes: StorageBytes = member.compressed
      ? { kind: 'compressed', member }
      : { kind: 'file', offset: member.payloadOffset };
    const found = { key, type, elements, first: 0 };
    return this.#skipped
      ? { ...found, bytes: null, absent: 'never written' }
      : { ...found, bytes, absent: null };
  }
}
