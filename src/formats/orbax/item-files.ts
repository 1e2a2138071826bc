/** The parts of an Orbax checkpoint: items in folders of their own, or one item in the folder itself. */
import type { SourceFile } from '../../sources/source.ts';
import { manifestName } from '../ocdbt/database.ts';

export const checkpointMetadataName = '_CHECKPOINT_METADATA';
export const treeMetadataName = '_METADATA';
export const commitName = 'commit_success.txt';

/** Names that Orbax gives a folder until it is whole. */
const temporary = /\.orbax-checkpoint-tmp/;

/** Older writers kept small values in one MessagePack file beside the arrays. */
export const aggregateName = 'checkpoint';

export interface Item {
  /** With its slash; empty for the checkpoint's own folder. */
  readonly folder: string;
  readonly kind: 'arrays' | 'json';
}

const arrayMarkers = new Set([treeMetadataName, manifestName, '_sharding']);

/** Folders, with their slash, that a file named `name` lies in; itself first. */
function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}

function isArrayMetadata(name: string): boolean {
  return /(^|\/)[^/]+\/(\.zarray|zarr\.json)$/.test(name);
}

/** Items in the folder itself or directly below it. */
export function itemsOf(files: readonly SourceFile[]): readonly Item[] {
  const items = new Map<string, Item>();
  const put = (folder: string, kind: Item['kind']) => {
    const depth = folder.split('/').length - 1;
    if (depth > 1 || (items.has(folder) && kind === 'json')) return;
    items.set(folder, { folder, kind });
  };
  for (const { name } of files) {
    const base = name.slice(name.lastIndexOf('/') + 1);
    if (/^ocdbt\.process_/.test(folderOf(name).split('/').at(-2) ?? '')) continue;
    if (arrayMarkers.has(base)) put(folderOf(name), 'arrays');
    else if (isArrayMetadata(name)) put(folderOf(folderOf(name).slice(0, -1)), 'arrays');
    else if (base === 'metadata' && name.includes('/')) put(folderOf(name), 'json');
  }
  const found = [...items.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
  const own = found.filter(({ folder, kind }) => folder === '' && kind === 'arrays');
  // The item in the folder itself owns what lies below.
  return own.length > 0 ? own : found;
}

/** Some part still has the name that it is written under. */
export function isTemporary(path: string, files: readonly SourceFile[]): boolean {
  const last =
    path
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? '';
  return temporary.test(last) || files.some(({ name }) => temporary.test(name));
}

/** A folder of steps, each with a metadata of its own, is a run and no checkpoint. */
export function holdsSteps(files: readonly SourceFile[]): boolean {
  const steps = /^[^/]+\/_CHECKPOINT_METADATA$/;
  const numbered = /^(?:[a-z]+[-_.]?)?[0-9]+\/(?:[^/]+\/)?(?:_METADATA|manifest\.ocdbt)$/i;
  return files.some(({ name }) => steps.test(name) || numbered.test(name));
}
