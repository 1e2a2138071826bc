/** Files of torch.save since 1.6: a zip archive with one pickle and a member for each storage. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { entryOf } from '../pickle/values.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { recogniseTorchZip } from './recognise.ts';
import { torchCheckpoint } from './torch-checkpoint.ts';
import { readTorchFile, type TorchFile } from './torch-file.ts';

export const torchZip: Format = {
  id: 'torch-zip',
  title: 'PyTorch: one file of torch.save (1.6 or newer)',
  recognise: recogniseTorchZip,
  complete: async ({ source, files }) => isArchiveEnded(source, files[0] as SourceFile),
  open,
};

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { source, files } = sighting;
  const file = files[0] as SourceFile;
  const torch = await readTorchFile(source, file.name, file.sizeBytes);
  // Where the first member is one of torch's, it is the directory that is wrong.
  if (torch.isForeign && recogniseTorchZip(sighting) !== 'certain') throw foreign(source.path);
  const checkpoint = await torchCheckpoint(sighting, torch, layoutOf(torch));
  return { ...checkpoint, problems: [...checkpoint.problems, ...unlisted(torch, file.name)] };
}

/** Lightning's files say so, whatever they are called. */
function layoutOf({ root }: TorchFile): string {
  return entryOf(root, 'pytorch-lightning_version') === undefined ? 'torch-zip' : 'lightning';
}

function unlisted({ isForeign }: TorchFile, file: string): Problem[] {
  if (!isForeign) return [];
  const message = 'the directory lists no data.pkl, although the archive begins with it';
  return [{ rule: 'header-invalid', kind: 'damage', file, message }];
}

/** A zip archive of something else, whatever its file is called. */
function foreign(where: string): LaikaError {
  return new LaikaError({
    code: 'not-a-checkpoint',
    what: 'This is no checkpoint',
    where,
    why: 'it is a zip archive without the data.pkl that torch.save writes',
    next: 'name the file that the trainer saved',
  });
}
