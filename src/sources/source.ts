/** Bytes of named files by range, and a listing. Nothing else in Laika touches a path. */
import type { FileState } from '../checkpoint/checkpoint.ts';

export interface SourceFile {
  /** Relative to the source, with `/`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Changes when the file does: device, inode, size and mtime in nanoseconds, or a strong ETag. */
  readonly identity: string;
  /** When it was last written, in milliseconds since 1970, where the storage says. */
  readonly modifiedMs?: number;
}

/** What a checkpoint keeps of a file: by it a change during the check is seen. */
export function fileStateOf({ name, sizeBytes, identity }: SourceFile): FileState {
  return { name, sizeBytes, identity };
}

/**
 * A value, or a promise of one where it has to be waited for. Pages of a file in the page cache are
 * there at once, and a promise for each costs as much as a good part of sweeping it.
 */
export type Eventually<T> = T | Promise<T>;

export interface Source {
  /** As the user gave it, for messages. */
  readonly path: string;
  /** True for one file (whose only name is its base name), false for a folder. */
  readonly isFile: boolean;
  /** Regular files below, at most `depth` folders deep (default 3), sorted by name; links are followed only inside. */
  list(depth?: number): Promise<readonly SourceFile[]>;
  /** Names of the folders directly below; missing where the storage has none. */
  folders?(): Promise<readonly string[]>;
  /** The present state of one file; null when it is gone. */
  stat(file: string): Promise<SourceFile | null>;
  /**
   * Fills `into` with `into.length` bytes from `offset`: at once, where the storage is a file system.
   * @throws LaikaError `changed-while-reading` when the file is shorter than that by now,
   * `path-unreadable` when the storage fails.
   */
  read(file: string, offset: number, into: Uint8Array): Eventually<void>;
  /** Absolute path for engines that read by themselves; null for remote sources. */
  localPath(file: string): string | null;
  close(): Promise<void>;
}
