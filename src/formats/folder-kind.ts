/** Layouts that Laika knows by sight and does not read: a clear word is better than "no checkpoint". */
import type { SourceFile } from '../sources/source.ts';

interface Fingerprint {
  readonly pattern: RegExp;
  readonly what: string;
}

/** Most specific first. */
const fingerprints: readonly Fingerprint[] = [
  { pattern: /^checkpoint_metadata\.json$/, what: 'a nanotron checkpoint' },
];

/** For people, with its article; null where nothing is recognised. */
export function folderKindOf(files: readonly SourceFile[]): string | null {
  const found = fingerprints.find(({ pattern }) => files.some(({ name }) => pattern.test(name)));
  return found?.what ?? null;
}
