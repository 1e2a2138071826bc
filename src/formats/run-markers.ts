/**
 * Markers that trainers keep beside their checkpoints to say which is the newest: what a resume
 * would load. One that names nothing says nothing against the checkpoints that are there.
 */
import type { Problem } from '../checkpoint/problem.ts';
import { escapeReason } from '../sources/safe-join.ts';
import type { Source, SourceFile } from '../sources/source.ts';

/** A name or a number. */
const bytesMost = 4096;

interface Marker {
  readonly file: string;
  /** The folder that the marker's text stands for. */
  readonly folderOf: (text: string) => string;
}

const same = (text: string) => text;

/** DeepSpeed's two, and Megatron's. */
const markers: readonly Marker[] = [
  { file: 'latest', folderOf: same },
  { file: 'latest_universal', folderOf: same },
  {
    file: 'latest_checkpointed_iteration.txt',
    folderOf: (text) => (/^[0-9]+$/.test(text) ? `iter_${text.padStart(7, '0')}` : text),
  },
];

/**
 * What the markers of a run folder say that its folders do not bear out. A checkpoint may have been
 * moved away, so nothing here is damage.
 * @throws LaikaError as `Source.list` and `Source.read`.
 */
export async function runMarkerProblems(source: Source): Promise<readonly Problem[]> {
  if (source.isFile) return [];
  const files = await source.list(0);
  const there = new Set([...files.map(({ name }) => name), ...((await source.folders?.()) ?? [])]);
  const problems: Problem[] = [];
  for (const { file: name, folderOf } of markers) {
    const file = files.find((each) => each.name === name);
    if (!file || file.sizeBytes > bytesMost) continue;
    const text = await textOf(source, file);
    const message = faultOf(text, folderOf, there);
    if (message) problems.push({ rule: 'shard-missing', kind: 'info', file: name, message });
  }
  return problems;
}

async function textOf(source: Source, { name, sizeBytes }: SourceFile): Promise<string> {
  const bytes = new Uint8Array(sizeBytes);
  await source.read(name, 0, bytes);
  return new TextDecoder('latin1').decode(bytes).trim();
}

function faultOf(
  text: string,
  folderOf: Marker['folderOf'],
  there: ReadonlySet<string>,
): string | null {
  if (text === '') return 'the run’s marker is empty: a resume finds no checkpoint';
  const folder = folderOf(text);
  const shown = JSON.stringify(text.slice(0, 200));
  if (escapeReason(folder) !== null)
    return `the run’s marker names ${shown}, which leaves the folder`;
  const [top = ''] = folder.split('/');
  return there.has(top) ? null : `the run’s marker names ${shown}, and there is no such checkpoint`;
}
