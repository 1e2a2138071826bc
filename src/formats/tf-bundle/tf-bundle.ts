/** Checkpoints of TensorFlow 2: an index, data files of the same prefix, a checksum for every tensor. */
import { Buffer } from 'node:buffer';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { ProblemList } from '../problem-list.ts';
import { ProtobufFault } from '../protobuf.ts';
import { type BundleIndex, readBundleIndex } from './bundle-index.ts';
import { readBundleRoles } from './bundle-roles.ts';
import { readStrings, StringFault } from './bundle-strings.ts';
import { listBundle, type PlacedEntry } from './bundle-tensors.ts';
import { type ObjectGraph, readObjectGraph } from './object-graph.ts';
import { TableFault } from './sstable.ts';

export const tfBundle: Format = {
  id: 'tf-bundle',
  title: 'TensorFlow 2: PREFIX.index and its data files',
  recognise,
  complete,
  open,
  step: async (sighting) => (await open(sighting)).step,
};

/** Others have files that end so, too. */
const indexName = /^(ckpt|model\.ckpt|variables|checkpoint)\b[^/]*\.index$/;

/** A hundred bytes a variable: a million of them. */
const indexMost = 2 ** 28;

/** Object graphs of large models take a few megabytes. */
const stringsMost = 2 ** 26;

const graphKey = '_CHECKPOINTABLE_OBJECT_GRAPH';

function recognise(sighting: Sighting): 'certain' | 'named' | 'no' {
  const file = indexOf(sighting);
  if (!file) return 'no';
  if (!sighting.source.isFile) return 'certain';
  const { head } = sighting;
  // The first entry has an empty key and a message that begins with the number of data files.
  const isTable = head[0] === 0 && head[1] === 0 && head[3] === 8;
  if (isTable) return 'certain';
  return indexName.test(file.name) ? 'named' : 'no';
}

/** A folder is a checkpoint where it holds one: that of a saved model, or the only one of its run. */
function indexOf({ source, files }: Sighting): SourceFile | undefined {
  if (source.isFile) return files[0];
  const indices = files.filter(({ name }) => {
    if (name.includes('/') && name !== 'variables/variables.index') return false;
    const prefix = name.endsWith('.index') ? name.slice(0, -'.index'.length) : null;
    const hasData = files.some((data) => data.name.startsWith(`${prefix}.data-`));
    // By its prefix a checkpoint is opened even where its data is gone.
    return prefix !== null && (hasData || files.length === 1);
  });
  return indices.length === 1 ? indices[0] : undefined;
}

async function complete(sighting: Sighting): Promise<boolean> {
  const { source } = sighting;
  const file = indexOf(sighting) as SourceFile;
  const index = await readIndex(source, file);
  if ('rule' in index) return false;
  return (await listBundle(source, index, namesOf(file))).isWhole;
}

function namesOf({ name }: SourceFile): { file: string; prefix: string } {
  return { file: name, prefix: name.replace(/\.index$/, '') };
}

async function readIndex(source: Source, file: SourceFile): Promise<BundleIndex | Problem> {
  const { name, sizeBytes } = file;
  if (sizeBytes > indexMost) {
    const what = `The index is longer than ${indexMost} bytes`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: name });
  }
  const bytes = Buffer.alloc(sizeBytes);
  await source.read(name, 0, bytes);
  try {
    return readBundleIndex(bytes, name);
  } catch (error) {
    if (error instanceof TableFault) {
      const { rule, offset, message } = error;
      return { rule, kind: 'damage', file: name, offset, message };
    }
    if (!(error instanceof ProtobufFault)) throw error;
    const message = `an entry of the index is no message: ${error.message}`;
    return { rule: 'header-invalid', kind: 'damage', file: name, message };
  }
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { source } = sighting;
  const file = indexOf(sighting) as SourceFile;
  const { name } = file;
  const index = await readIndex(source, file);
  const nothing = { step: null, tensors: [], optimizers: [], frozen: [], tied: [], checksums: [] };
  const base = {
    ...nothing,
    path: source.path,
    layout: 'tf-bundle',
    files: [fileStateOf(file)],
    // A callback may have moved the rate between two checkpoints; the files do not say.
    hasScheduler: true,
  };
  if ('rule' in index) return { ...base, complete: false, problems: [index] };
  const listed = await listBundle(source, index, namesOf(file));
  const problems = new ProblemList();
  problems.addAll(listed.problems);
  const graph = await readTexts(source, listed.strings, problems);
  const { optimizers, step } = await readBundleRoles(source, listed.tensors, { graph, file: name });
  return {
    ...base,
    step,
    complete: listed.isWhole,
    files: [...base.files, ...listed.files],
    tensors: listed.tensors,
    optimizers,
    checksums: listed.checksums,
    problems: problems.toArray(),
  };
}

/** Verifies the tensors of strings; one of them is the object graph. */
async function readTexts(
  source: Source,
  strings: readonly PlacedEntry[],
  problems: ProblemList,
): Promise<ObjectGraph | null> {
  let graph: ObjectGraph | null = null;
  let left = stringsMost;
  for (const { entry, file, begin, end } of strings) {
    left -= end - begin;
    if (left < 0) {
      const message = 'the rest of the tensors of strings was not read: they are too long';
      problems.add({ rule: 'note', kind: 'info', file, tensor: entry.key, message });
      break;
    }
    const bytes = Buffer.alloc(end - begin);
    await source.read(file, begin, bytes);
    const count = entry.shape.reduce((product, size) => product * size, 1n);
    try {
      const texts = readStrings(bytes, Number(count), entry.crc);
      if (entry.key === graphKey && texts[0]) graph = readObjectGraph(texts[0]);
    } catch (error) {
      if (!(error instanceof StringFault || error instanceof ProtobufFault)) throw error;
      const rule = error instanceof StringFault ? 'checksum-mismatch' : 'header-invalid';
      const { message } = error;
      problems.add({ rule, kind: 'damage', file, offset: begin, tensor: entry.key, message });
    }
  }
  return graph;
}
