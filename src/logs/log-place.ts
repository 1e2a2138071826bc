/** Where something in a training log stands, for people. */
import type { Source, SourceFile } from '../sources/source.ts';

/** The path, and the file's name where the path is a folder. */
export function logPlace(source: Source, file: SourceFile): string {
  return source.isFile ? source.path : `${source.path}: ${file.name}`;
}
