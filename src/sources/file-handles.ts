/** Open files of one source, at most `limit` at a time: a checkpoint may have thousands of shards. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { changedError, isMissing, storageError, systemCode } from './storage-error.ts';

interface Handle {
  readonly descriptor: number;
  readonly inode: string;
}

/** The system reads at most 2^31 − 4096 bytes at once. */
const largestRead = 2 ** 30;

export class FileHandles {
  readonly #limit: number;
  /** In order of use: the first was not used for longest. */
  readonly #open = new Map<string, Handle>();
  /** The file that a path meant at first; after an eviction the path may mean another one. */
  readonly #inodes = new Map<string, string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Fills `into` from byte `offset` of the file. `path-unreadable`, `changed-while-reading` as in `Source.read`. */
  read(path: string, offset: number, into: Uint8Array): void {
    const { descriptor } = this.#handle(path);
    let done = 0;
    while (done < into.length) {
      const length = Math.min(into.length - done, largestRead);
      const count = readChunk(path, descriptor, {
        into: into.subarray(done, done + length),
        position: offset + done,
      });
      if (count === 0) {
        throw changedError(path, `it ends at byte ${offset + done}, before the bytes it had`);
      }
      done += count;
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
    const handle = openRegular(path);
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
    if (systemCode(error) === 'ESTALE') throw changedError(path, 'the file server forgot it');
    throw storageError(error, path);
  }
}

/** Looks before it opens: opening a device may act, opening a pipe may wait. */
function openRegular(path: string): Handle {
  try {
    if (!statSync(path).isFile()) throw irregular(path);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const state = fstatSync(descriptor, { bigint: true });
    if (state.isFile()) return { descriptor, inode: `${state.dev}:${state.ino}` };
    closeSync(descriptor);
    throw irregular(path);
  } catch (error) {
    if (isLaikaError(error)) throw error;
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
