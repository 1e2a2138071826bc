/** Real checkpoints to mutate: the fixtures of the tests, written by the frameworks themselves. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { Files } from './memory-source.ts';

export interface Specimen {
  /** Case and checkpoint: `torch-2.13-zip/step-5.pt`. */
  readonly name: string;
  readonly layout: string;
  readonly isFile: boolean;
  readonly files: Files;
}

/** Larger ones add no structure, only time. */
const bytesMost = 512 * 1024;

interface Expected {
  readonly layout: string;
  readonly checkpoints?: readonly { readonly path: string }[];
  /** Of layouts that are arrays in folders. */
  readonly arrays?: readonly { readonly folder: string }[];
}

/** The checkpoints of every case below `root`, by layout. */
export function readCorpus(root: string): Map<string, Specimen[]> {
  const corpus = new Map<string, Specimen[]>();
  for (const name of readdirSync(root).sort()) {
    const listing = join(root, name, 'expected.json');
    if (!existsSync(listing)) continue;
    const expected = JSON.parse(readFileSync(listing, 'utf8')) as Expected;
    const { layout, checkpoints = [], arrays = [] } = expected;
    const paths = [...checkpoints.map(({ path }) => path), ...arrays.map(({ folder }) => folder)];
    for (const path of new Set(paths)) {
      const specimen = specimenAt(join(root, name, path), `${name}/${path}`, layout);
      const size = [...(specimen?.files.values() ?? [])].reduce(
        (sum, { length }) => sum + length,
        0,
      );
      if (!specimen || size > bytesMost) continue;
      for (const each of layout.split(', '))
        corpus.set(each, [...(corpus.get(each) ?? []), specimen]);
    }
  }
  return corpus;
}

/** Null: a copy of the fixtures may leave checkpoints out. */
function specimenAt(path: string, name: string, layout: string): Specimen | null {
  if (!existsSync(path)) return startingWith(path, /\./, { name, layout });
  const [stem, ...isMap] = path.split(/\.weights\.json$/);
  if (isMap.length > 0) return startingWith(stem as string, /[._]/, { name, layout });
  if (statSync(path).isFile()) {
    return {
      name,
      layout,
      isFile: true,
      files: new Map([[basename(path), new Uint8Array(readFileSync(path))]]),
    };
  }
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name !== 'expected.json')
    .map((entry) => join(entry.parentPath, entry.name));
  return { name, layout, isFile: false, files: contentsOf(path, files) };
}

/** The files of a folder whose names go on from `path` with `next`: a bundle, a map and its shards. */
function startingWith(
  path: string,
  next: RegExp,
  about: Pick<Specimen, 'name' | 'layout'>,
): Specimen | null {
  const [folder, stem] = [join(path, '..'), basename(path)];
  if (!existsSync(folder)) return null;
  const own = readdirSync(folder).filter(
    (each) => each.startsWith(stem) && each.slice(stem.length).search(next) === 0,
  );
  if (own.length === 0) return null;
  const paths = own.map((each) => join(folder, each));
  return { ...about, isFile: false, files: contentsOf(folder, paths) };
}

function contentsOf(root: string, paths: readonly string[]): Files {
  return new Map(paths.map((path) => [relative(root, path), new Uint8Array(readFileSync(path))]));
}
