/** Joins a name from inside a checkpoint to its folder; a name that points elsewhere gets no path. */
import { join } from 'node:path';
import { LaikaError } from '../checkpoint/errors.ts';

/** Why `name` could mean a file outside the folder it is joined to, on any system; null: it cannot. */
export function escapeReason(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name.includes('\0')) return 'it holds a NUL byte';
  if (name.includes('\\')) return 'it holds a backslash';
  if (name.startsWith('/')) return 'it is an absolute path';
  if (/^[A-Za-z][A-Za-z0-9+.-]+:\//.test(name)) return 'it is a URL';
  if (/^[A-Za-z]:/.test(name)) return 'it begins with a drive letter';
  if (name.split('/').includes('..')) return 'it climbs out of its folder';
  return null;
}

/**
 * Path of `name` below `root`. Links are not resolved: whether their target may be read is decided
 * where the file is opened.
 * @throws LaikaError `path-unreadable` for a name that could leave the folder.
 */
export function safeJoin(root: string, name: string): string {
  refuseEscape(name);
  return join(root, name);
}

/** Lets a name pass that stays below its folder. @throws LaikaError `path-unreadable` for any other. */
export function refuseEscape(name: string): void {
  const reason = escapeReason(name);
  if (reason !== null) {
    throw new LaikaError({
      code: 'path-unreadable',
      what: 'A file name points outside its folder and was not opened',
      where: name,
      why: reason,
    });
  }
}
