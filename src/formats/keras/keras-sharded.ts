/** Weights of a Keras model in several HDF5 files, with a map of them (`*.weights.json`). */
import { Buffer } from 'node:buffer';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { Hdf5Bytes, Hdf5Fault } from '../hdf5/hdf5-bytes.ts';
import { readSuperblock } from '../hdf5/superblock.ts';
import { ProblemList } from '../problem-list.ts';
import { type KerasContents, type KerasPart, readKerasContents } from './keras-contents.ts';
import { readWeightMap, type WeightMap } from './weight-map.ts';

export const kerasSharded: Format = {
  id: 'keras-sharded',
  title: 'Keras 3: weights in several files (.weights.json)',
  recognise,
  complete,
  open,
};

const mapName = /^([^/]+)\.weights\.json$/i;
const shardName = /^(.+)_[0-9]{5,}\.weights\.h5$/i;

/** Names that say checkpoint: where others than the model's own lie beside it, the folder is a run. */
const otherCheckpoint = /^[^/]+\.(h5|hdf5|keras|index|safetensors|pt|pth|ckpt|npz|msgpack)$/i;

/** The map of the model that a file of this name is a part of; null for any other name. */
export function weightMapOf(name: string): string | null {
  const stem = shardName.exec(name)?.[1];
  return stem === undefined ? null : `${stem}.weights.json`;
}

function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const file = mapFile(source, files);
  if (!file || !mapName.test(file.name)) return 'no';
  if (!source.isFile) return 'certain';
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');
  return text.includes('"weight_map"') ? 'certain' : 'named';
}

/** A folder is one model where it holds one map, and no checkpoint that is no part of it. */
function mapFile(source: Source, files: readonly SourceFile[]): SourceFile | undefined {
  if (source.isFile) return files[0];
  const maps = files.filter(({ name }) => mapName.test(name));
  const [map] = maps;
  if (!map || maps.length > 1) return undefined;
  const isOther = ({ name }: SourceFile) => {
    return (
      otherCheckpoint.test(name) && weightMapOf(name)?.toLowerCase() !== map.name.toLowerCase()
    );
  };
  return files.some(isOther) ? undefined : map;
}

interface Shards {
  readonly map: WeightMap;
  readonly found: readonly SourceFile[];
  readonly missing: readonly string[];
}

async function readShards(source: Source, file: SourceFile): Promise<Shards> {
  const map = await readWeightMap(source, file);
  const found: SourceFile[] = [];
  const missing: string[] = [];
  for (const name of map.shards) {
    const shard = await source.stat(name);
    if (shard) found.push(shard);
    else missing.push(name);
  }
  return { map, found, missing };
}

/** The end that each file promises is written last. */
async function complete({ source, files }: Sighting): Promise<boolean> {
  const file = mapFile(source, files) as SourceFile;
  const { map, found, missing } = await readShards(source, file);
  if (!map.isWhole || missing.length > 0) return false;
  for (const { name, sizeBytes } of found) {
    try {
      const bytes = new Hdf5Bytes(source, { file: name, offset: 0, sizeBytes });
      if (!((await readSuperblock(bytes)).endAddress <= sizeBytes)) return false;
    } catch (error) {
      if (error instanceof Hdf5Fault) return false;
      throw error;
    }
  }
  return true;
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const file = mapFile(source, files) as SourceFile;
  const { map, found, missing } = await readShards(source, file);
  const [first, ...others] = found.map(partOf);
  const contents = first ? await readKerasContents(source, [first, ...others], null) : null;
  const problems = new ProblemList();
  problems.addAll(map.problems);
  for (const name of missing) {
    const message = `${file.name} names this file, and it is not there`;
    problems.add({ rule: 'shard-missing', kind: 'damage', file: name, message });
  }
  if (contents) problems.addAll(contents.problems);
  const lost = contents ? lostGroups(map, contents, new Set(missing)) : [];
  problems.addAll(lost);
  const isWhole = map.isWhole && missing.length === 0 && lost.length === 0;
  return {
    path: source.path,
    layout: 'keras-sharded',
    step: contents?.step ?? null,
    complete: isWhole && contents?.isWhole === true,
    files: [file, ...found].map(fileStateOf),
    tensors: contents?.tensors ?? [],
    optimizers: contents?.optimizers ?? [],
    frozen: [],
    tied: [],
    // A callback may have moved the rate between two checkpoints; the files do not say.
    hasScheduler: true,
    checksums: [],
    encoded: contents?.encoded ?? [],
    problems: problems.toArray(),
  };
}

function partOf({ name, sizeBytes }: SourceFile): KerasPart {
  return { place: { file: name, offset: 0, sizeBytes }, listedIn: name };
}

/** Groups that the map puts into a file which holds no variable of them: one of another save. */
function lostGroups(map: WeightMap, contents: KerasContents, missing: ReadonlySet<string>) {
  const held = new Set<string>();
  const hold = (file: string | undefined, path: string | undefined) => {
    if (path !== undefined) held.add(`${file}\0${path.slice(0, path.lastIndexOf('/'))}`);
  };
  for (const { file, name } of contents.tensors) hold(file, name);
  for (const { file, tensor } of contents.problems) hold(file, tensor);
  const lost: Problem[] = [];
  for (const [group, names] of map.groups) {
    for (const file of names) {
      if (missing.has(file) || held.has(`${file}\0${group}`)) continue;
      const message = `it holds nothing of ${JSON.stringify(group)}, which the map puts into it`;
      lost.push({ rule: 'tensor-missing', kind: 'damage', file, message });
    }
  }
  return lost;
}
