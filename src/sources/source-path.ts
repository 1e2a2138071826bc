/** Paths of checkpoints as people give them: on this machine, or the address of an object store. */
import { basename, dirname, join, resolve } from 'node:path';

/** `s3://bucket/prefix`. */
export function isRemote(path: string): boolean {
  return /^s3:\/\//i.test(path);
}

/** A name inside a folder; `name` is one that a listing of it gave. */
export function pathInside(folder: string, name: string): string {
  return isRemote(folder) ? `${withoutSlash(folder)}/${name}` : join(folder, name);
}

/** The one spelling under which a folder is remembered. */
export function absolutePath(path: string): string {
  return isRemote(path) ? withoutSlash(path) : resolve(path);
}

/** The last part of a path. */
export function lastPart(path: string): string {
  return basename(isRemote(path) ? withoutSlash(path) : resolve(path));
}

/** The folder that a path lies in, as the user would write it; null where there is none above it. */
export function folderAround(path: string): string | null {
  if (isRemote(path)) {
    const parent = withoutSlash(path).replace(/\/[^/]*$/, '');
    return /^s3:\/\/[^/]+/i.test(parent) ? parent : null;
  }
  const absolute = resolve(path);
  if (dirname(absolute) === absolute) return null;
  if (path === basename(absolute)) return '.';
  return /(^|[\\/])\.\.?[\\/]*$/.test(path) ? join(path, '..') : dirname(path);
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '');
}
