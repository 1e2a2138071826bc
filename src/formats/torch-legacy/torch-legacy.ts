/** Files of torch.save before 1.6, and tensors that were pickled without it. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { isLegacyStream } from '../pickle/legacy-pickles.ts';
import { isPicklePrefix, readPickle } from '../pickle/read-pickle.ts';
import { torchCheckpoint } from '../torch-zip/torch-checkpoint.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { readBarePickle } from './bare-pickle.ts';
import { readLegacyFile } from './legacy-file.ts';

export const torchLegacy: Format = {
  id: 'torch-legacy',
  title: 'PyTorch: one file of torch.save before 1.6, or a pickle of tensors',
  recognise,
  complete: async (sighting) => (await read(sighting)).isWhole,
  open,
};

const pickleName = /\.(pkl|pickle)$/i;

/** Pickles are everywhere: one is torch's where it says so soon, or asks for code. */
function recognise({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file || file.sizeBytes === 0) return 'no';
  if (isLegacyStream(head)) return 'certain';
  if (!isPicklePrefix(head) && !pickleName.test(file.name)) return 'no';
  const { calls } = readPickle(head, file.name);
  if (calls.some(({ kind }) => kind === 'code')) return 'certain';
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  return /torch\._utils|torch\.storage/.test(text) ? 'certain' : 'no';
}

function read({ source, files, head }: Sighting): Promise<TorchFile> {
  const { name, sizeBytes } = files[0] as SourceFile;
  const readFile = isLegacyStream(head) ? readLegacyFile : readBarePickle;
  return readFile(source, name, sizeBytes);
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const torch = await read(sighting);
  const isTold = torch.problems.some(({ kind }) => kind !== 'info');
  if (torch.tensors.length > 0 || isTold || isLegacyStream(sighting.head)) {
    return torchCheckpoint(sighting, torch, 'torch-legacy');
  }
  throw new LaikaError({
    code: 'not-a-checkpoint',
    what: 'This is no checkpoint',
    where: sighting.source.path,
    why: 'it is a Python pickle without tensors',
    next: 'name the file that the trainer saved',
  });
}
