/** Storages that tensors refer to, resolved to members of the archive. */
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeText } from '../pickle/preview.ts';
import { isGlobal, isSequence, type PicklePersistent, type PickleValue } from '../pickle/values.ts';
import type { ZipArchive, ZipMember } from '../zip/zip-archive.ts';
import { type ElementType, elementTypeOfStorage } from './element-types.ts';

export interface Storage {
  readonly key: string;
  readonly type: ElementType;
  /** Elements of `type`. */
  readonly elements: number;
  /** Null: the storage has no bytes on disk, and `absent` says why. */
  readonly member: ZipMember | null;
  readonly absent: string | null;
}

export type StorageResult = Storage | { readonly broken: Omit<Problem, 'file' | 'tensor'> };

/** torch names storages by running numbers; other writers by words. */
const plainKey = /^(?!\.+$)[0-9A-Za-z_.-]{1,128}$/;

const storageModules = new Set(['torch', 'torch.cuda', 'torch.storage']);

function damage(rule: Problem['rule'], message: string): StorageResult {
  return { broken: { rule, kind: 'damage', message } };
}

/** A count that fits the file; null for anything that is none. */
function countOf(value: PickleValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

export class Storages {
  readonly #archive: ZipArchive;
  /** The archive was saved without its storages' bytes. */
  readonly #skipped: boolean;
  readonly #known = new Map<PicklePersistent, StorageResult>();
  readonly #used = new Set<string>();

  constructor(archive: ZipArchive, skipped: boolean) {
    this.#archive = archive;
    this.#skipped = skipped;
  }

  /** Keys of the storages that were asked for. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  resolve(reference: PicklePersistent): StorageResult {
    const known = this.#known.get(reference);
    if (known) return known;
    const result = this.#resolve(reference);
    this.#known.set(reference, result);
    return result;
  }

  #resolve({ id }: PicklePersistent): StorageResult {
    const parts = isSequence(id) ? id.items : [];
    const [kind, type, key, device, count] = parts;
    if (parts.length !== 5 || kind !== 'storage') {
      return damage('header-invalid', 'its storage is not described as torch describes one');
    }
    const known = isGlobal(type) && storageModules.has(type.module);
    const element = known ? elementTypeOfStorage(type.name) : null;
    if (!element) return damage('header-invalid', 'its storage has no class that torch knows');
    if (typeof key !== 'string' || !plainKey.test(key)) {
      const shown = typeof key === 'string' ? `'${escapeText(key.slice(0, 100))}'` : 'no text';
      const message = `its storage is called ${shown}, which could mean another file`;
      return { broken: { rule: 'path-escape', kind: 'security', message } };
    }
    this.#used.add(key);
    if (device === 'meta')
      return { key, type: element, elements: 0, member: null, absent: 'meta tensor' };
    return this.#find(key, element, count);
  }

  #find(key: string, type: ElementType, count: PickleValue | undefined): StorageResult {
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
    if (this.#skipped) return { key, type, elements, member: null, absent: 'never written' };
    return { key, type, elements, member, absent: null };
  }
}
