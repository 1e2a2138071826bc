/** torch.distributed.checkpoint: `.metadata` and a file of items for every rank. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { type DcpContents, readDcpContents } from './dcp-contents.ts';
import { readRest } from './lightning-rest.ts';
import { readDcpMetadata } from './metadata.ts';
import { type OpenedDcp, openDcp } from './open-dcp.ts';
import { checkSlices, type DcpFolder } from './slices.ts';

export const dcp: Format = {
  id: 'dcp',
  title: 'PyTorch: a distributed checkpoint (torch.distributed.checkpoint)',
  recognise,
  complete,
  open,
};

const metadataName = '.metadata';

/** OLMo-core keeps its distributed checkpoint in a folder, and writes its own metadata last. */
const innerFolder = 'model_and_optim/';
const outerMetadata = '.metadata.json';

const rankMetadata = /^__([0-9]{1,7})\.metadata$/;
const dataName = /^__[0-9]{1,7}_[0-9]{1,9}\.distcp$/;

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  if (files.some(({ name }) => dataName.test(name) || rankMetadata.test(name))) return 'certain';
  if (innerMetadata(files)) return 'certain';
  return files.some(({ name }) => name === metadataName) ? 'named' : 'no';
}

function innerMetadata(files: readonly SourceFile[]): SourceFile | undefined {
  return files.find(({ name }) => name === innerFolder + metadataName);
}

/**
 * One checkpoint, or one a rank where it was saved without collectives: those have the same names
 * and are not joined. Empty: nothing says what the files hold.
 */
function foldersOf(files: readonly SourceFile[]): DcpFolder[] {
  const metadata = files.find(({ name }) => name === metadataName);
  const inner = innerMetadata(files);
  if (!metadata && inner) return [{ folder: innerFolder, metadata: inner, files }];
  const ranks = files.filter(({ name }) => rankMetadata.test(name));
  const found = metadata ? [metadata] : ranks;
  return found.map((file) => ({ folder: '', metadata: file, files }));
}

/** The metadata parses, and every item's bytes are there. */
async function complete({ source, files }: Sighting): Promise<boolean> {
  const folders = foldersOf(files);
  for (const folder of folders) {
    const { metadata } = await readDcpMetadata(source, folder.metadata);
    if (!metadata || !checkSlices(metadata.slices, folder).isWhole) return false;
  }
  if (folders.length === 0 || !isOuterWhole(folders, files)) return false;
  return (await readRest(source, files)).isWhole;
}

function isOuterWhole([first]: readonly DcpFolder[], files: readonly SourceFile[]): boolean {
  return first?.folder !== innerFolder || files.some(({ name }) => name === outerMetadata);
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const folders = foldersOf(files);
  const opened: OpenedDcp[] = [];
  const contents: DcpContents[] = [];
  for (const folder of folders) {
    const part = await openDcp(source, folder);
    const rank = rankMetadata.exec(folder.metadata.name)?.[1];
    if (rank !== undefined) nameByRank(part, Number(rank));
    opened.push(part);
    contents.push(await readDcpContents(source, [part]));
  }
  const rest = await readRest(source, files);
  const steps = new Set(contents.map(({ step }) => step));
  const [step = null] = steps;
  const read = [...new Set([...opened.flatMap((part) => part.files), ...rest.files])];
  const schedulers = [...contents.flatMap((each) => each.schedulers), ...rest.schedulers];
  return {
    path: source.path,
    layout: rest.files.length > 0 ? 'lightning' : 'dcp',
    step: rest.step ?? (steps.size === 1 ? step : null),
    complete:
      opened.length > 0 &&
      opened.every(({ isWhole }) => isWhole) &&
      isOuterWhole(folders, files) &&
      rest.isWhole,
    files: (opened.length > 0 ? read : files).map(fileStateOf),
    tensors: contents.flatMap(({ tensors }) => tensors),
    optimizers: contents.flatMap(({ optimizers }) => optimizers),
    frozen: contents.flatMap(({ frozen }) => frozen),
    tied: [],
    hasScheduler: schedulers.length > 0,
    schedulers,
    checksums: [...opened.flatMap(({ checksums }) => checksums), ...rest.checksums],
    encoded: opened.flatMap(({ encoded }) => encoded),
    problems: [
      ...opened.flatMap(({ problems }) => problems),
      ...contents.flatMap(({ problems }) => problems),
      ...rest.problems,
      ...unlisted(files, read, opened),
    ],
  };
}

function nameByRank({ tensors }: OpenedDcp, rank: number): void {
  for (const draft of tensors.values()) {
    draft.nameInFile = draft.name;
    draft.name = `${draft.name} (rank ${rank})`;
  }
}

/** Data files that no metadata names: of an earlier save with more ranks, or of one under way. */
function unlisted(
  files: readonly SourceFile[],
  read: readonly SourceFile[],
  opened: readonly OpenedDcp[],
): Problem[] {
  if (opened.length === 0) {
    const message = 'it is missing: the save is not finished, or a later one was interrupted';
    return [{ rule: 'shard-missing', kind: 'damage', file: metadataName, message }];
  }
  // Metadata that is broken names nothing.
  if (opened.some(({ metadata }) => metadata === null)) return [];
  const known = new Set(read.map(({ name }) => name));
  const others = files.filter(({ name }) => dataName.test(name) && !known.has(name));
  const message = 'the metadata does not name this file; it was not read';
  return others.slice(0, 100).map(({ name: file }) => {
    return { rule: 'shard-stale', kind: 'info', file, message };
  });
}
