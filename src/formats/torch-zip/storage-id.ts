/** How torch's pickles refer to a storage: its class, its key, and how much it holds. */
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeText } from '../pickle/preview.ts';
import { isGlobal, isSequence, type PickleValue } from '../pickle/values.ts';
import type { ZipMember } from '../zip/zip-archive.ts';
import { type ElementType, elementTypeOfStorage } from './element-types.ts';

export interface Storage {
  readonly key: string;
  readonly type: ElementType;
  /** Elements of `type`. */
  readonly elements: number;
  /** Elements of a larger storage that go before it, where it is a view of one. */
  readonly first: number;
  /** Null: the storage has no bytes on disk, and `absent` says why. */
  readonly bytes: StorageBytes | null;
  readonly absent: string | null;
}

export type StorageBytes =
  /** As they are, from byte `offset` of the file. */
  | { readonly kind: 'file'; readonly offset: number }
  | { readonly kind: 'compressed'; readonly member: ZipMember }
  /** They came inside the pickle. */
  | { readonly kind: 'memory'; readonly bytes: Uint8Array };

export type StorageResult = Storage | { readonly broken: Omit<Problem, 'file' | 'tensor'> };

/** Finds the storage that a pickled reference means. */
export interface StorageResolver {
  resolve(reference: PickleValue): StorageResult;
}

export interface StorageId {
  readonly type: ElementType;
  readonly key: string;
  readonly device: PickleValue | undefined;
  /** As stored: not believed. */
  readonly count: PickleValue | undefined;
  /** `(key, offset, elements)` of a view, as torch wrote them before 0.4; else nothing. */
  readonly view: PickleValue | undefined;
}

/** torch names storages by running numbers or addresses; other writers by words. */
const plainKey = /^(?!\.+$)[0-9A-Za-z_.-]{1,128}$/;

const storageModules = new Set(['torch', 'torch.cuda', 'torch.storage']);

export function damage(rule: Problem['rule'], message: string): StorageResult {
  return { broken: { rule, kind: 'damage', message } };
}

/** A count that a file can have; null for anything that is none. */
export function countOf(value: PickleValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Reads a persistent id of `parts` items: 5 in archives, 6 in streams. */
export function readStorageId(
  id: PickleValue,
  parts: 5 | 6,
): StorageId | Exclude<StorageResult, Storage> {
  const items = isSequence(id) ? id.items : [];
  const [kind, type, key, device, count, view] = items;
  const broken = (message: string) => {
    return { broken: { rule: 'header-invalid', kind: 'damage', message } } as const;
  };
  if (items.length < 5 || items.length > parts || kind !== 'storage') {
    return broken('its storage is not described as torch describes one');
  }
  const known = isGlobal(type) && storageModules.has(type.module);
  const element = known ? elementTypeOfStorage(type.name) : null;
  if (!element) return broken('its storage has no class that torch knows');
  if (typeof key !== 'string' || !plainKey.test(key)) {
    const shown = typeof key === 'string' ? `'${escapeText(key.slice(0, 100))}'` : 'no text';
    const message = `its storage is called ${shown}, which could mean another file`;
    return { broken: { rule: 'path-escape', kind: 'security', message } };
  }
  return { type: element, key, device, count, view };
}
