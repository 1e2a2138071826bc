/** Open files of one source, at most `limit` at a time: a checkpoint may have thousands of shards. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { directFlag, readDirect } from './direct-read.ts';
import { changedError, isMissing, storageError, systemCode } from './storage-error.ts';

interface Handle {
  readonly descriptor: number;
  readonly inode: string;
  /** Reads go past the page cache. */
  readonly isDirect: boolean;
}

/** The system reads at most 2^31 − 4096 bytes at once. */
const largestRead = 2 ** 30;

export class FileHandles {
  readonly #limit: number;
  /** In order of use: the first was not used for longest. */
  readonly #open = new Map<string, Handle>();
  /** The file that a path meant at first; after an eviction the path may mean another one. */
  readonly #inodes = new Map<string, string>();

  /** False also after a file system has refused. */
  #direct: boolean;

  /** `direct`: past the page cache, where the file system allows it. */
  constructor(limit: number, direct = false) {
    this.#limit = limit;
    this.#direct = direct && directFlag() !== null;
  }

  /** Fills `into` from byte `offset` of the file. `path-unreadable`, `changed-while-reading` as in `Source.read`. */
  read(path: string, offset: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const length = Math.min(into.length - done, largestRead);
      const part = { into: into.subarray(done, done + length), position: offset + done };
      const count = this.#readChunk(path, part);
      if (count === 0) {
        throw changedError(path, `it ends at byte ${offset + done}, before the bytes it had`);
      }
      done += count;
    }
  }

  #readChunk(path: string, part: { into: Uint8Array; position: number }): number {
    const { descriptor, isDirect } = this.#handle(path);
    if (!isDirect) return readChunk(path, descriptor, part);
    try {
      return readDirect(descriptor, part.into, part.position);
    } catch (error) {
      if (systemCode(error) !== 'EINVAL') throw readError(error, path);
      // Some file systems refuse only here.
      this.#direct = false;
      this.closeAll();
      return this.#readChunk(path, part);
    }
  }

  closeAll(): void {
    for (const { descriptor } of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #handle(path: string): Handle {
    const known = this.#open.get(path);
    if (known) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const handle = openRegular(path, this.#direct);
    const inode = this.#inodes.get(path);
    if (inode !== undefined && inode !== handle.inode) {
      closeSync(handle.descriptor);
      throw changedError(path, 'another file took its name');
    }
    this.#inodes.set(path, handle.inode);
    this.#open.set(path, handle);
    this.#evict();
    return handle;
  }

  #evict(): void {
    for (const [path, { descriptor }] of this.#open) {
      if (this.#open.size <= this.#limit) return;
      closeSync(descriptor);
      this.#open.delete(path);
    }
  }
}

function readChunk(
  path: string,
  descriptor: number,
  chunk: { into: Uint8Array; position: number },
): number {
  try {
    return readSync(descriptor, chunk.into, 0, chunk.into.length, chunk.position);
  } catch (error) {
    throw readError(error, path);
  }
}

function readError(error: unknown, path: string): LaikaError {
  if (systemCode(error) === 'ESTALE') return changedError(path, 'the file server forgot it');
  return storageError(error, path);
}

/** Looks before it opens: opening a device may act, opening a pipe may wait. */
function openRegular(path: string, direct: boolean): Handle {
  try {
    if (!statSync(path).isFile()) throw irregular(path);
    const flag = direct ? (directFlag() ?? 0) : 0;
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flag);
    const state = fstatSync(descriptor, { bigint: true });
    const inode = `${state.dev}:${state.ino}`;
    if (state.isFile()) return { descriptor, inode, isDirect: flag !== 0 };
    closeSync(descriptor);
    throw irregular(path);
  } catch (error) {
    if (isLaikaError(error)) throw error;
    // A file system without direct reads.
    if (direct && systemCode(error) === 'EINVAL') return openRegular(path, false);
    // It was there when it was listed: a trainer rotated it away.
    if (isMissing(error)) throw changedError(path, 'it is gone');
    throw storageError(error, path);
  }
}

function irregular(path: string): LaikaError {
  return new LaikaError({
    code: 'path-unreadable',
    what: 'Only regular files are read',
    where: path,
    why: 'it is a folder, a pipe, a socket or a device',
  });
}
