/** What the storage said, as the one error class. */
import { LaikaError } from '../checkpoint/errors.ts';

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EIO: 'the storage returned an error',
  ELOOP: 'too many links',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENXIO: 'it is no regular file',
};

/** The system's code (`ENOENT`, `EIO`, …), or an empty string. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** ENOENT and ENOTDIR: there is nothing under that name. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** `path-missing` where there is nothing, else `path-unreadable`, with the system's reason. */
export function storageError(error: unknown, where: string): LaikaError {
  if (isMissing(error)) {
    return new LaikaError(
      {
        code: 'path-missing',
        what: 'There is no such file or folder',
        where,
        next: 'check the path; `laika validate CHECKPOINT` takes a file or a folder',
      },
      { cause: error },
    );
  }
  const code = systemCode(error);
  return new LaikaError(
    {
      code: 'path-unreadable',
      what: 'The file or folder cannot be read',
      where,
      why: reasons[code] ?? (code || 'the system refused it'),
    },
    { cause: error },
  );
}

/** The file is not what it was when it was opened: shorter, replaced or gone. */
export function changedError(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'changed-while-reading',
    what: 'The file changed while it was read',
    where,
    why,
    next: 'run the check again when nothing writes to the checkpoint',
  });
}
