/** Where the keys of zarr arrays lie: as files of a folder, or as values of a database. */

import type { Source, SourceFile } from '../../sources/source.ts';
import type { StoredValue } from '../ocdbt/tree-node.ts';

export interface ArrayStore {
  readonly values: ReadonlyMap<string, StoredValue>;
  /** Sizes of the files that values may lie in. */
  readonly sizes: ReadonlyMap<string, number>;
  /** False: parts of the store could not be read, so that a key may be missing by that alone. */
  readonly isWhole: boolean;
  /** What to name where a key is missing. */
  readonly file: string;
}

/** The files below `folder` (with its slash, or empty) as keys. */
export function folderStore(files: readonly SourceFile[], folder: string): ArrayStore {
  const values = new Map<string, StoredValue>();
  const sizes = new Map<string, number>();
  for (const { name, sizeBytes } of files) {
    sizes.set(name, sizeBytes);
    if (!name.startsWith(folder)) continue;
    const value = { kind: 'range', file: name, offset: 0, length: sizeBytes } as const;
    values.set(name.slice(folder.length), value);
  }
  return { values, sizes, isWhole: true, file: folder };
}

/** Part of a value; the caller has compared it with the value's length. */
export function sliceOf(value: StoredValue, offset: number, length: number): StoredValue {
  if (value.kind === 'range') return { ...value, offset: value.offset + offset, length };
  return { kind: 'inline', bytes: value.bytes.subarray(offset, offset + length) };
}

export function lengthOf(value: StoredValue): number {
  return value.kind === 'range' ? value.length : value.bytes.length;
}

/** All bytes of a value, which the caller has bounded. @throws LaikaError as `Source.read`. */
export async function bytesOf(source: Source, value: StoredValue): Promise<Uint8Array> {
  if (value.kind === 'inline') return value.bytes;
  const bytes = new Uint8Array(value.length);
  await source.read(value.file, value.offset, bytes);
  return bytes;
}
