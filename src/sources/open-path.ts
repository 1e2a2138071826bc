/** The one way from a path to a source: this machine's files, or an object store. */
import { openLocalSource } from './local.ts';
import { openS3Source, type S3Settings } from './s3.ts';
import type { Source } from './source.ts';
import { isRemote } from './source-path.ts';

const noSettings: S3Settings = {};

let s3Settings = noSettings;

/** How object stores are reached from now on; the program says it once, when it starts. */
export function useS3Settings(settings: S3Settings): void {
  s3Settings = settings;
}

/**
 * Opens a file or folder on this machine, or `s3://bucket/key`.
 * @throws LaikaError `path-missing`, `path-unreadable` (permission, a device, no credentials).
 */
export function openPath(path: string): Promise<Source> {
  return isRemote(path) ? openS3Source(path, s3Settings) : openLocalSource(path);
}
