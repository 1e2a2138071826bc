/** A checkpoint of Orbax: a folder of one item, or of a manager's step with several. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { readTrainState } from '../jax/train-state.ts';
import { manifestName } from '../ocdbt/database.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { isJsonObject, type JsonObject, toDouble } from '../strict-json.ts';
import { type ArrayItem, readArrayItem } from './array-item.ts';
import {
  checkpointMetadataName,
  commitName,
  holdsSteps,
  type Item,
  isTemporary,
  itemsOf,
  treeMetadataName,
} from './item-files.ts';
import { readJsonFile } from './tree-metadata.ts';

export const orbax: Format = {
  id: 'orbax',
  title: 'Orbax: a folder of arrays (OCDBT or zarr) as JAX trainers save it',
  recognise,
  complete: async (sighting) => (await judge(sighting)).isComplete,
  open,
};

/** Folders inside an item: an array of 12 dimensions has its chunks as deep. */
const depth = 20;

/** `{"step": 7}` and the like. */
const jsonItemBytesMost = 1024 * 1024;

const ownMarks = new Set([checkpointMetadataName, treeMetadataName, manifestName]);

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  if (files.some(({ name }) => ownMarks.has(name))) return 'certain';
  if (holdsSteps(files)) return 'no';
  return itemsOf(files).some(({ kind, folder }) => kind === 'arrays' && isItem(files, folder))
    ? 'certain'
    : 'no';
}

/** Metadata of Orbax in a folder of its own; arrays of zarr alone are another layout. */
function isItem(files: readonly SourceFile[], folder: string): boolean {
  return files.some(
    ({ name }) => name === folder + treeMetadataName || name === folder + manifestName,
  );
}

interface Judged {
  readonly isComplete: boolean;
  readonly metadata: JsonObject | null;
  readonly problems: readonly Problem[];
}

/** By names alone, and by the one small file that says which items there are. */
async function judge({ source, files }: Sighting): Promise<Judged> {
  const file = files.find(({ name }) => name === checkpointMetadataName);
  const json = file ? await readJsonFile(source, file) : null;
  const metadata = json?.value ?? null;
  const problems = new ProblemList();
  if (json?.problem) problems.add(json.problem);
  const isCommitted = files.some(({ name }) => name === commitName);
  const isStamped = toDouble(metadata?.get('commit_timestamp_nsecs')) !== null;
  // On storage without renaming a mark at the end is all that tells.
  const isLocal = file !== undefined && source.localPath(file.name) !== null;
  const isUnfinished = metadata !== null && !isStamped && !isCommitted;
  const missing = missingItems(metadata, files);
  for (const item of missing) {
    const message = `the item ${JSON.stringify(item)} is listed, and its folder is not there`;
    const where = { file: checkpointMetadataName, message };
    problems.add({ rule: 'shard-missing', kind: 'damage', ...where });
  }
  const isMarked = isLocal || isCommitted || isStamped || !file;
  const isComplete =
    !isTemporary(source.path, files) && !isUnfinished && isMarked && missing.length === 0;
  return { isComplete: isComplete && !json?.problem, metadata, problems: problems.toArray() };
}

/** Items of a manager's step that have no file at all. */
function missingItems(metadata: JsonObject | null, files: readonly SourceFile[]): string[] {
  const handlers = metadata?.get('item_handlers');
  if (!isJsonObject(handlers)) return [];
  const folders = new Set(files.map(({ name }) => name.split('/', 1)[0]));
  return [...handlers.keys()].filter((item) => !folders.has(item)).slice(0, 100);
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { source } = sighting;
  const files = await source.list(depth);
  const judged = await judge({ ...sighting, files });
  const items = itemsOf(files);
  const problems = new ProblemList();
  problems.addAll(judged.problems);
  const read: { item: Item; arrays: ArrayItem }[] = [];
  for (const item of items.filter(({ kind }) => kind === 'arrays')) {
    const arrays = await readArrayItem(source, files, item);
    problems.addAll(arrays.problems);
    read.push({ item, arrays });
  }
  const tensors = namedTensors(read);
  const encoded = read.flatMap(({ arrays }) => arrays.encoded);
  const own = decodedSource(source, encoded);
  const file = `${items[0]?.folder ?? ''}${treeMetadataName}`;
  const state = await readTrainState(own, tensors, file);
  return {
    path: source.path,
    layout: 'orbax',
    step: state.step ?? (await stepOfJson(source, files, items)) ?? state.count,
    complete: judged.isComplete && read.every(({ arrays }) => arrays.isWhole),
    files: files.map(fileStateOf),
    tensors,
    optimizers: state.optimizers,
    frozen: [],
    tied: [],
    hasScheduler: state.hasScheduler,
    checksums: read.flatMap(({ arrays }) => arrays.checksums),
    encoded,
    problems: problems.toArray(),
  };
}

/** One item's arrays are called as in its tree; those of several have the item's name before them. */
function namedTensors(read: readonly { item: Item; arrays: ArrayItem }[]): TensorDraft[] {
  const several = read.filter(({ arrays }) => arrays.tensors.length > 0).length > 1;
  return read.flatMap(({ item, arrays }) => {
    const prefix = several ? `${item.folder.replace(/\/$/, '')}.` : '';
    return arrays.tensors.map((tensor) => ({ ...tensor, name: prefix + tensor.name }));
  });
}

/** A manager's step often has a JSON item with the trainer's own counters. */
async function stepOfJson(
  source: Source,
  files: readonly SourceFile[],
  items: readonly Item[],
): Promise<number | null> {
  for (const { folder } of items.filter(({ kind }) => kind === 'json')) {
    const file = files.find(({ name }) => name === `${folder}metadata`);
    if (!file || file.sizeBytes > jsonItemBytesMost) continue;
    const { value } = await readJsonFile(source, file);
    const step = toDouble(value?.get('step') ?? value?.get('global_step'));
    if (step !== null && Number.isSafeInteger(step) && step >= 0) return step;
  }
  return null;
}
