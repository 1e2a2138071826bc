/** A tag's folder of DeepSpeed by itself: `global_step1000`. */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { fileStateOf } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { TorchParts } from '../torch-parts.ts';
import { isDeepSpeedName } from './rank-files.ts';
import { isTagComplete, readTag } from './tag-folder.ts';

export const deepspeed: Format = {
  id: 'deepspeed',
  title: 'DeepSpeed: a folder global_stepN of model and optimizer states (ZeRO 0 to 3)',
  recognise: ({ source, files }) => {
    return !source.isFile && files.some(({ name }) => isDeepSpeedName(name)) ? 'certain' : 'no';
  },
  complete: ({ source, files }) => isTagComplete(source, files, ''),
  open,
};

async function open({ source, files: all }: Sighting): Promise<Checkpoint> {
  const parts = new TorchParts(source);
  const { isWhole, hasScheduler, ...contents } = await readTag(parts, all, '');
  const { files, checksums, schedulers, problems } = parts;
  return {
    path: source.path,
    layout: 'deepspeed',
    complete: isWhole && parts.isWhole,
    files: files.map(fileStateOf),
    ...contents,
    hasScheduler: hasScheduler || schedulers.length > 0,
    schedulers,
    checksums,
    problems: problems.toArray(),
  };
}
