/** A tag of DeepSpeed inside the checkpoint of a trainer that calls it: `checkpoint-N/global_stepN`. */
import type { Source, SourceFile } from '../../sources/source.ts';
import { isDeepSpeedName } from './rank-files.ts';

/** The trainer's own marker. */
const markerName = 'latest';

/** A name. */
const markerBytesMost = 4096;

/**
 * The tag's folder with its slash: the one that `latest` names, else the only one. Null: there is
 * none, or several of which nothing says the present one.
 * @throws LaikaError as `Source.read`.
 */
export async function innerTag(
  source: Source,
  files: readonly SourceFile[],
): Promise<string | null> {
  const folders = tagFolders(files);
  const [only, another] = folders;
  if (only === undefined || another === undefined) return only ?? null;
  const marker = files.find(({ name }) => name === markerName);
  if (!marker || marker.sizeBytes > markerBytesMost) return null;
  const bytes = new Uint8Array(marker.sizeBytes);
  await source.read(marker.name, 0, bytes);
  const named = `${new TextDecoder('latin1').decode(bytes).trim()}/`;
  return folders.includes(named) ? named : null;
}

/** Folders directly below with files of a tag. */
function tagFolders(files: readonly SourceFile[]): readonly string[] {
  const folders = new Set<string>();
  for (const { name } of files) {
    const [folder, base, deeper] = name.split('/');
    if (folder === undefined || base === undefined || deeper !== undefined) continue;
    if (isDeepSpeedName(base)) folders.add(`${folder}/`);
  }
  return [...folders];
}
