/** ONNX models: initializers in the model, or in files beside it. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { ProblemList } from '../problem-list.ts';
import { walkModel } from './graph-walk.ts';
import { OnnxTensors } from './onnx-tensors.ts';
import { WireFault, WireWalker } from './wire-walker.ts';

export const onnx: Format = {
  id: 'onnx',
  title: 'ONNX: a model with its weights inside or beside it',
  recognise,
  complete: async (sighting) => (await open(sighting)).complete,
  open,
  // It is exported, never written while training.
  isOfRun: () => false,
};

/** Protocol buffers have no mark: the name must say it, and the first field must be a version. */
function recognise(sighting: Sighting): 'certain' | 'named' | 'no' {
  const file = modelOf(sighting);
  if (!file) return 'no';
  const [key, version] = sighting.head;
  const isVersion = key === 8 && version !== undefined && version > 0 && version < 64;
  return isVersion || !sighting.source.isFile ? 'certain' : 'named';
}

/** A folder is a model where one file in it is. */
function modelOf({ source, files }: Sighting): SourceFile | undefined {
  const models = files.filter(({ name }) => /^[^/]+\.onnx$/i.test(name));
  return source.isFile || models.length === 1 ? models[0] : undefined;
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { source } = sighting;
  const file = modelOf(sighting) as SourceFile;
  const { name, sizeBytes } = file;
  const walker = new WireWalker(source, name);
  const tensors = new OnnxTensors(source, file, walker);
  const problems = new ProblemList();
  let isCut = false;
  try {
    const walk = await walkModel(walker, { offset: 0, length: sizeBytes }, name);
    for (const initializer of walk.initializers) await tensors.add(initializer);
    problems.addAll(missingFields(file, walk));
    isCut = !(walk.hasGraph && walk.hasOperators);
    if (walk.sparse > 0) {
      const message = `${walk.sparse} sparse initializers were not read`;
      problems.add({ rule: 'note', kind: 'info', file: name, message });
    }
  } catch (error) {
    if (!(error instanceof WireFault)) throw error;
    isCut = error.isCut;
    const rule = error.isCut ? 'file-truncated' : 'header-invalid';
    const { offset, message } = error;
    problems.add({
      rule,
      kind: 'damage',
      file: name,
      offset,
      message: `no ONNX model: ${message}`,
    });
  }
  problems.addAll(tensors.problems.toArray());
  return {
    path: source.path,
    layout: 'onnx',
    step: null,
    complete: !isCut && !tensors.isMissingFiles,
    files: [fileStateOf(file), ...tensors.otherFiles],
    tensors: tensors.tensors,
    optimizers: [],
    frozen: [],
    tied: [],
    hasScheduler: false,
    checksums: tensors.checksums,
    problems: problems.toArray(),
  };
}

/** Fields that every model has, in the order of writing: without them the file was cut between two. */
function missingFields(
  { name: file, sizeBytes: offset }: SourceFile,
  found: { hasVersion: boolean; hasGraph: boolean; hasOperators: boolean },
): Problem[] {
  const missing = [
    ...(found.hasVersion ? [] : ['version']),
    ...(found.hasGraph ? [] : ['graph']),
    ...(found.hasOperators ? [] : ['operator set']),
  ];
  if (missing.length === 0) return [];
  const message = `the model has no ${missing.join(', no ')}`;
  return [{ rule: 'file-truncated', kind: 'damage', file, offset, message }];
}
