/** One file of torch.save as a checkpoint. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { fileStateOf, type SourceFile } from '../../sources/source.ts';
import type { Sighting } from '../format.ts';
import { readContents } from './contents.ts';
import type { TorchFile } from './torch-file.ts';

/**
 * Finds out what the tensors of `torch` are for. `problems` stay for the caller to add to.
 * @throws LaikaError as `Source.read`.
 */
export async function torchCheckpoint(
  { source, files }: Sighting,
  torch: TorchFile,
  layout: string,
): Promise<Checkpoint> {
  const file = files[0] as SourceFile;
  const contents = await readContents({ source, file }, torch);
  return {
    path: source.path,
    layout,
    step: contents.step,
    complete: torch.isWhole,
    files: [fileStateOf(file)],
    tensors: torch.tensors,
    optimizers: contents.optimizers,
    frozen: contents.frozen,
    tied: torch.tied,
    hasScheduler: contents.schedulers.length > 0,
    schedulers: contents.schedulers,
    checksums: torch.checksums,
    problems: [...torch.problems, ...contents.problems],
  };
}
