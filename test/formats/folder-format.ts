/** What tests of a folder's format share: copies to damage, and what the format says of them. */
import { cpSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import type { Format, Sighting } from '../../src/formats/format.ts';
import { sight } from '../../src/formats/sighting.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { fixtures } from './torch-zip/golden-state.ts';

/**
 * Copies healthy folders, named as they are: `path` is absolute or among the fixtures. What is copied
 * lies in `place` of the copy.
 */
export function folderCopies(): (path: string, place?: string) => string {
  const temporary = temporaryFolder();
  let copies = 0;
  return (path, place = '') => {
    copies += 1;
    const folder = join(temporary, `copy-${copies}`, basename(path));
    cpSync(resolve(fixtures, path), join(folder, place), { recursive: true });
    return folder;
  };
}

export interface FolderFormat {
  open(folder: string): Promise<Checkpoint>;
  isComplete(folder: string): Promise<boolean>;
}

/** The format by itself, whatever others would say. */
export function folderFormat(format: Format): FolderFormat {
  const asked = async <T>(folder: string, ask: (sighting: Sighting) => Promise<T>): Promise<T> => {
    const source = await openLocalSource(folder);
    try {
      return await ask(await sight(source));
    } finally {
      await source.close();
    }
  };
  return {
    open: (folder) => asked(folder, (sighting) => format.open(sighting)),
    isComplete: (folder) => asked(folder, (sighting) => format.complete(sighting)),
  };
}

/** Rule and file of all problems but notes. */
export function told({ problems }: Checkpoint): unknown[] {
  return problems.filter(({ kind }) => kind !== 'info').map(({ rule, file }) => [rule, file]);
}
