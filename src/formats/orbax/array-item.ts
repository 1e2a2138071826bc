/** One item of arrays: its store opened, its arrays listed, and what was promised compared with them. */
import type { EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { readFlaxTree } from '../flax-msgpack/tree-reader.ts';
import { manifestName, readDatabase } from '../ocdbt/database.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import type { JsonObject } from '../strict-json.ts';
import { type ArrayStore, folderStore } from '../zarr/array-store.ts';
import { readArrays } from '../zarr/find-arrays.ts';
import {
  aggregateName,
  checkpointMetadataName,
  type Item,
  treeMetadataName,
} from './item-files.ts';
import { readJsonFile, readSavedTree, type SavedTree } from './tree-metadata.ts';

export interface ArrayItem {
  readonly tensors: readonly TensorDraft[];
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

const nothingSaved: SavedTree = { names: [], storesZeros: null, problems: [] };

/** Names that every file system and every version of Orbax keeps as they are. */
const plainName = /^[\w.-]+$/;

/** @throws LaikaError `limit-exceeded`; as `Source.read`. */
export async function readArrayItem(
  source: Source,
  files: readonly SourceFile[],
  { folder }: Item,
): Promise<ArrayItem> {
  const problems = new ProblemList();
  const own = files.filter(({ name }) => name.startsWith(folder));
  const named = (name: string) => own.find((file) => file.name === folder + name);
  const metadata = named(treeMetadataName);
  const json = metadata && (await readJsonFile(source, metadata));
  if (json?.problem) problems.add(json.problem);
  const saved = savedTree(json?.value ?? null, folder);
  problems.addAll(saved.problems);
  const store = await openStore(source, files, {
    folder,
    isDatabase: holdsDatabase(own, folder),
    problems,
  });
  const missing = missingMeans(saved, own, folder);
  const arrays = await readArrays(source, { store, missing });
  problems.addAll(arrays.problems);
  const aggregate = await readAggregate(source, named(aggregateName));
  problems.addAll(aggregate.problems);
  const listed = new Set(aggregate.tensors.map(({ name }) => name));
  const lost = saved.names.filter((name) => !arrays.names.has(name) && !listed.has(name));
  if (store.isWhole) problems.addAll(lostArrays(lost, folder));
  return {
    tensors: [...arrays.tensors, ...aggregate.tensors],
    encoded: arrays.encoded,
    checksums: arrays.checksums,
    problems: problems.toArray(),
    isWhole: store.isWhole && lost.length === 0 && !json?.problem,
  };
}

function savedTree(metadata: JsonObject | null, folder: string): SavedTree {
  return metadata ? readSavedTree(metadata, folder + treeMetadataName) : nothingSaved;
}

/** A database, or what the processes wrote of one before it was put together. */
function holdsDatabase(files: readonly SourceFile[], folder: string): boolean {
  return files.some(({ name }) => {
    const own = name.slice(folder.length);
    return own === manifestName || own.startsWith('ocdbt.process_');
  });
}

async function openStore(
  source: Source,
  files: readonly SourceFile[],
  of: { folder: string; isDatabase: boolean; problems: ProblemList },
): Promise<ArrayStore> {
  const { folder, isDatabase, problems } = of;
  const asFolder = folderStore(files, folder);
  if (!isDatabase) return { ...asFolder, file: folder + treeMetadataName };
  const { sizes } = asFolder;
  const database = await readDatabase(source, { folder, sizes });
  problems.addAll(database.problems);
  const { values, isWhole } = database;
  return { values, sizes, isWhole, file: folder + manifestName };
}

/**
 * Since a flag says so, chunks of zeros are written too. Before, they were left out: a checkpoint
 * that bears the marks of its writer and has no such flag is an old one.
 */
function missingMeans(
  { storesZeros }: SavedTree,
  files: readonly SourceFile[],
  folder: string,
): 'damage' | 'fill' {
  if (storesZeros !== null) return storesZeros ? 'damage' : 'fill';
  const marks = new Set([checkpointMetadataName, '_sharding', aggregateName, manifestName]);
  const isOrbax = files.some(({ name }) => marks.has(name.slice(folder.length)));
  return isOrbax ? 'fill' : 'damage';
}

/** Small values of older writers; a text in place of an array says that it lies elsewhere. */
async function readAggregate(
  source: Source,
  file: SourceFile | undefined,
): Promise<{ tensors: readonly TensorDraft[]; problems: readonly Problem[] }> {
  if (!file) return { tensors: [], problems: [] };
  return readFlaxTree(source, file);
}

function lostArrays(names: readonly string[], folder: string): Problem[] {
  return names.slice(0, 1000).map((name) => {
    const message = 'the metadata names this array, and nothing of it was written';
    // How other names are spelled in a store changed with the versions.
    const [rule, kind] = plainName.test(name)
      ? (['tensor-missing', 'damage'] as const)
      : (['note', 'info'] as const);
    return { rule, kind, file: folder + treeMetadataName, tensor: name, message };
  });
}
