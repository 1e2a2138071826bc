/** Checkpoints on this machine's file systems. */
import type { BigIntStats, Dirent } from 'node:fs';
import { opendirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { FileHandles } from './file-handles.ts';
import { escapeReason, safeJoin } from './safe-join.ts';
import type { Source, SourceFile } from './source.ts';
import { isMissing, storageError, systemCode } from './storage-error.ts';

const openFiles = 64;

/** Files whose size is asked for at a glance. */
const glanceLimit = 256;

/** Entries that one listing may meet before it gives up. */
const listLimit = 1_000_000;

/**
 * Opens a file or a folder for reading, or the files of a folder that share a prefix: what TensorFlow
 * calls a checkpoint is the name of no file, and ranks may save side by side.
 * @throws LaikaError `path-missing`, `path-unreadable` (permission, a pipe, a device).
 */
export async function openLocalSource(path: string): Promise<Source> {
  const absolute = resolve(path);
  const state = stateOf(absolute, path);
  if (Array.isArray(state)) return new LocalSource(path, dirname(absolute), { only: state });
  if (state.isFile()) {
    return new LocalSource(path, dirname(absolute), { name: basename(absolute) });
  }
  if (state.isDirectory()) return new LocalSource(path, absolute, {});
  throw new LaikaError({
    code: 'path-unreadable',
    what: 'Only regular files and folders are read',
    where: path,
    why: state.isFIFO() ? 'it is a named pipe' : 'it is a device or a socket',
  });
}

/** Bytes of a file, or of the files directly in a folder, at a glance; 0 where nothing is found. */
export function bytesAt(path: string): number {
  try {
    const state = statSync(path);
    if (state.isFile()) return state.size;
    let bytes = 0;
    let seen = 0;
    for (const { name } of readFolder(path, true)) {
      bytes += sizeOf(join(path, name));
      seen += 1;
      if (seen === glanceLimit) break;
    }
    return bytes;
  } catch {
    return 0;
  }
}

function sizeOf(path: string): number {
  const state = statSync(path, { throwIfNoEntry: false });
  return state?.isFile() ? state.size : 0;
}

/** Where nothing has this name: the files whose common prefix it is. */
function stateOf(absolute: string, path: string): BigIntStats | string[] {
  try {
    return statSync(absolute, { bigint: true });
  } catch (error) {
    const family = isMissing(error) ? familyOf(absolute) : [];
    if (family.length > 0) return family;
    throw storageError(error, path);
  }
}

/** Names of files that are parts of one checkpoint under this prefix, and of no other. */
function familyOf(absolute: string): string[] {
  const [root, prefix] = [dirname(absolute), basename(absolute)];
  const rests: string[] = [];
  try {
    for (const entry of readFolder(root, true)) {
      if (!entry.name.startsWith(prefix) || kindOf(entry, root, entry.name) !== 'file') continue;
      rests.push(entry.name.slice(prefix.length));
    }
  } catch (error) {
    if (isLaikaError(error, 'path-missing')) return [];
    throw error;
  }
  const pattern = rests.includes('.index') ? bundlePart : rankPart;
  return rests.filter((rest) => pattern.test(rest)).map((rest) => prefix + rest);
}

const bundlePart = /^\.(index|data-[0-9]{5}-of-[0-9]{5})$/;
const rankPart = /^[-_]rank[-_]?[0-9]{1,7}\.(pt|pth|bin|ckpt)$/;

interface Part {
  /** The file that the user named. */
  readonly name?: string;
  /** The only files of the folder that count. */
  readonly only?: readonly string[];
}

class LocalSource implements Source {
  readonly path: string;
  readonly isFile: boolean;
  readonly #root: string;
  readonly #name: string | null;
  readonly #only: ReadonlySet<string> | null;
  readonly #handles = new FileHandles(openFiles);
  /** Names that were checked already: checking takes as long as a small read. */
  readonly #paths = new Map<string, string>();

  constructor(path: string, root: string, { name, only }: Part) {
    this.path = path;
    this.isFile = name !== undefined;
    this.#root = root;
    this.#name = name ?? null;
    this.#only = only ? new Set(only) : null;
  }

  async list(depth = 3): Promise<readonly SourceFile[]> {
    if (this.#name !== null) {
      const file = await this.stat(this.#name);
      return file ? [file] : [];
    }
    const files = this.#only
      ? [...this.#only].flatMap((file) => describe(this.localPath(file), file) ?? [])
      : listFolder(this.#root, depth);
    return files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  async folders(): Promise<readonly string[]> {
    if (this.isFile || this.#only) return [];
    const names: string[] = [];
    for (const entry of readFolder(this.#root, true)) {
      if (names.length >= listLimit) throw tooMany(this.#root);
      const isFolder = kindOf(entry, this.#root, entry.name) === 'folder';
      if (isFolder && escapeReason(entry.name) === null) names.push(entry.name);
    }
    return names.sort();
  }

  async stat(file: string): Promise<SourceFile | null> {
    return describe(this.localPath(file), file);
  }

  read(file: string, offset: number, into: Uint8Array): void {
    if (into.length > 0) this.#handles.read(this.localPath(file), offset, into);
  }

  localPath(file: string): string {
    const known = this.#paths.get(file);
    if (known !== undefined) return known;
    // The file that the user named may be called anything; names inside a folder may not.
    const path = file === this.#name ? join(this.#root, file) : safeJoin(this.#root, file);
    this.#paths.set(file, path);
    return path;
  }

  async close(): Promise<void> {
    this.#handles.closeAll();
  }
}

/** Null: gone, or no regular file. */
function describe(path: string, name: string): SourceFile | null {
  try {
    const state = statSync(path, { bigint: true });
    if (!state.isFile()) return null;
    return {
      name,
      sizeBytes: Number(state.size),
      identity: `${state.dev}:${state.ino}:${state.size}:${state.mtimeNs}`,
      modifiedMs: Number(state.mtimeNs / 1000n) / 1000,
    };
  } catch (error) {
    // A link whose target is gone, or a loop of links, is no file either.
    if (isMissing(error) || systemCode(error) === 'ELOOP') return null;
    throw storageError(error, path);
  }
}

interface Folder {
  /** Relative to the root, with a trailing slash; empty for the root. */
  readonly prefix: string;
  readonly level: number;
}

function listFolder(root: string, depth: number): SourceFile[] {
  const files: SourceFile[] = [];
  const queue: Folder[] = [{ prefix: '', level: 0 }];
  let entries = 0;
  for (let folder = queue.pop(); folder; folder = queue.pop()) {
    for (const entry of readFolder(join(root, folder.prefix), folder.level === 0)) {
      entries += 1;
      if (entries > listLimit) throw tooMany(root);
      const name = folder.prefix + entry.name;
      if (escapeReason(name) !== null) continue;
      const kind = kindOf(entry, root, name);
      if (kind === 'folder' && folder.level < depth) {
        queue.push({ prefix: `${name}/`, level: folder.level + 1 });
      }
      const file = kind === 'file' ? describe(join(root, name), name) : null;
      if (file) files.push(file);
    }
  }
  return files;
}

function* readFolder(path: string, isRoot: boolean): Generator<Dirent> {
  let folder: ReturnType<typeof opendirSync>;
  try {
    folder = opendirSync(path);
  } catch (error) {
    // Below the root a folder may vanish between two looks: trainers rotate.
    if (!isRoot && isMissing(error)) return;
    throw storageError(error, path);
  }
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) yield entry;
  } finally {
    folder.closeSync();
  }
}

function kindOf(entry: Dirent, root: string, name: string): 'file' | 'folder' | 'other' {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  if (entry.isFIFO() || entry.isSocket() || entry.isCharacterDevice() || entry.isBlockDevice()) {
    return 'other';
  }
  try {
    const path = join(root, name);
    const state = statSync(path);
    if (state.isFile()) return 'file';
    return state.isDirectory() && staysInside(root, path) ? 'folder' : 'other';
  } catch {
    return 'other';
  }
}

/** A link to a folder is followed only downwards inside the root: no loops, nothing from elsewhere. */
function staysInside(root: string, link: string): boolean {
  const target = realpathSync(link) + sep;
  const from = realpathSync(dirname(link)) + sep;
  return target.startsWith(realpathSync(root) + sep) && !from.startsWith(target);
}

function tooMany(root: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: `The folder holds more than ${listLimit} entries`,
    where: root,
    next: 'name the checkpoint itself rather than a folder above it',
  });
}
