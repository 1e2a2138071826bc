/** A training state that `flax.serialization` wrote: one MessagePack file. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { readTrainState } from '../jax/train-state.ts';
import { looksLikeFlax } from './looks-like-flax.ts';
import { type FlaxTree, readFlaxTree } from './tree-reader.ts';

/** `checkpoint_STEP` of Flax's own checkpoints; `flax_model.msgpack` of the Hugging Face Hub. */
const ownName = /(^|\/)checkpoint_[0-9]+$|\.msgpack$/;

export const flaxMsgpack: Format = {
  id: 'flax-msgpack',
  title: 'Flax: a state as one MessagePack file',
  recognise,
  complete: async (sighting) => (await readOnly(sighting)).isWhole,
  open,
  step: async (sighting) => stateOf(sighting.source, fileOf(sighting), await readOnly(sighting)),
};

function fileOf({ files }: Sighting): SourceFile {
  return files[0] as SourceFile;
}

function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file) return 'no';
  if (looksLikeFlax(head)) return 'certain';
  return ownName.test(file.name) ? 'named' : 'no';
}

function readOnly(sighting: Sighting): Promise<FlaxTree> {
  return readFlaxTree(sighting.source, fileOf(sighting));
}

async function stateOf(source: Source, file: SourceFile, tree: FlaxTree): Promise<number | null> {
  return (await contentsOf(source, file, tree)).step;
}

async function contentsOf(source: Source, file: SourceFile, tree: FlaxTree) {
  const state = await readTrainState(source, tree.tensors, file.name);
  return { ...state, step: state.step ?? tree.plain.get('step') ?? state.count };
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const file = fileOf(sighting);
  const tree = await readOnly(sighting);
  const { step, optimizers, hasScheduler } = await contentsOf(sighting.source, file, tree);
  return {
    path: sighting.source.path,
    layout: 'flax-msgpack',
    step,
    complete: tree.isWhole,
    files: [fileStateOf(file)],
    tensors: tree.tensors,
    optimizers,
    frozen: [],
    tied: [],
    hasScheduler,
    checksums: [],
    problems: tree.problems,
  };
}
