/** The first look at a source: its files, and the head of a single one. */
import type { Source, SourceFile } from '../sources/source.ts';
import type { Sighting } from './format.ts';

const headBytes = 4096;

/** Lists the source and reads at most 4 KiB. @throws LaikaError as `Source.list` and `Source.read`. */
export async function sight(source: Source): Promise<Sighting> {
  const files = await source.list();
  return { source, files, head: await headOf(source, files) };
}

/** Empty for folders. */
async function headOf(source: Source, files: readonly SourceFile[]): Promise<Uint8Array> {
  const file = source.isFile ? files[0] : undefined;
  const head = new Uint8Array(Math.min(headBytes, file?.sizeBytes ?? 0));
  if (file) await source.read(file.name, 0, head);
  return head;
}
