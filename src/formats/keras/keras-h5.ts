/** HDF5 files of Keras: whole models of the older kind, and weights of the newer. */
import { Buffer } from 'node:buffer';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { Hdf5Bytes, Hdf5Fault } from '../hdf5/hdf5-bytes.ts';
import { hdf5Mark, readSuperblock } from '../hdf5/superblock.ts';
import { stepInName } from '../step-in-name.ts';
import { readKerasContents } from './keras-contents.ts';

export const kerasH5: Format = {
  id: 'keras-h5',
  title: 'Keras: whole models (.h5) and weights (.weights.h5) in HDF5',
  recognise,
  complete,
  open,
  // Data sets are HDF5 as well: a name must say that it is weights, or count something.
  isOfRun: ({ files }) => {
    const name = files[0]?.name ?? '';
    return /\.weights\.h5$/i.test(name) || stepInName(name) !== null;
  },
};

function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file) return 'no';
  const mark = Buffer.from(head.buffer, head.byteOffset, Math.min(8, head.length));
  if (mark.equals(hdf5Mark)) return 'certain';
  return /\.(h5|hdf5|keras\.h5)$/i.test(file.name) ? 'named' : 'no';
}

/** The end that the file promises is written last. */
async function complete({ source, files }: Sighting): Promise<boolean> {
  const { name, sizeBytes } = files[0] as SourceFile;
  try {
    const bytes = new Hdf5Bytes(source, { file: name, offset: 0, sizeBytes });
    return (await readSuperblock(bytes)).endAddress <= sizeBytes;
  } catch (error) {
    if (error instanceof Hdf5Fault) return false;
    throw error;
  }
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const { name, sizeBytes, identity } = files[0] as SourceFile;
  const place = { file: name, offset: 0, sizeBytes };
  const contents = await readKerasContents(source, [{ place, listedIn: name }], null);
  if (contents.layout === null && contents.problems.length === 0) throw foreign(source.path);
  const { step, tensors, optimizers, problems, isWhole } = contents;
  return {
    path: source.path,
    layout: contents.layout ?? 'keras-h5',
    step,
    complete: isWhole,
    files: [{ name, sizeBytes, identity }],
    tensors,
    optimizers,
    frozen: [],
    tied: [],
    // A callback may have moved the rate between two checkpoints; the files do not say.
    hasScheduler: true,
    checksums: [],
    encoded: contents.encoded,
    problems,
  };
}

function foreign(where: string): LaikaError {
  return new LaikaError({
    code: 'not-a-checkpoint',
    what: 'This is no checkpoint',
    where,
    why: 'it is an HDF5 file without the groups that Keras writes',
    next: 'name the file that the trainer saved',
  });
}
