/** Arrays of zarr by themselves: one in its folder, or a folder of several. */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import { fileStateOf } from '../../sources/source.ts';
import { lastPart } from '../../sources/source-path.ts';
import type { Format, Sighting } from '../format.ts';
import { readTrainState } from '../jax/train-state.ts';
import { folderStore } from './array-store.ts';
import { readArrays } from './find-arrays.ts';

export const zarr: Format = {
  id: 'zarr',
  title: 'zarr: a folder of arrays, version 2 or 3',
  recognise,
  // Nothing says that all was written; a chunk that is missing is one of the fill value.
  complete: async () => true,
  open,
};

/** Folders inside the folder: groups, and chunks with a folder a dimension. */
const depth = 20;

function recognise({ source, files }: Sighting): 'certain' | 'no' {
  if (source.isFile) return 'no';
  return files.some(({ name }) => /(^|\/)(\.zarray|zarr\.json)$/.test(name)) ? 'certain' : 'no';
}

async function open({ source }: Sighting): Promise<Checkpoint> {
  const files = await source.list(depth);
  const store = folderStore(files, '');
  const arrays = await readArrays(source, { store, missing: 'fill' });
  const tensors = arrays.tensors.map((tensor) => {
    return { ...tensor, name: tensor.name === '' ? lastPart(source.path) : tensor.name };
  });
  const own = decodedSource(source, arrays.encoded);
  const state = await readTrainState(own, tensors, files[0]?.name ?? '');
  return {
    path: source.path,
    layout: 'zarr',
    step: state.step ?? state.count,
    complete: true,
    files: files.map(fileStateOf),
    tensors,
    optimizers: state.optimizers,
    frozen: [],
    tied: [],
    hasScheduler: state.hasScheduler,
    checksums: arrays.checksums,
    encoded: arrays.encoded,
    problems: arrays.problems,
  };
}
