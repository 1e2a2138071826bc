/** `meta.pt`: what Lightning keeps beside the tensors of a sharded checkpoint, written last. */
import type { SchedulerState, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { TorchParts } from '../torch-parts.ts';
import { storedStep } from '../torch-zip/trainer-state.ts';

export interface LightningRest {
  /** Empty where there is none. */
  readonly files: readonly SourceFile[];
  readonly step: number | null;
  readonly schedulers: readonly SchedulerState[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** @throws LaikaError `limit-exceeded`; as `Source.read`. */
export async function readRest(
  source: Source,
  files: readonly SourceFile[],
): Promise<LightningRest> {
  const parts = new TorchParts(source);
  const file = files.find(({ name }) => name === 'meta.pt');
  const torch = file && (await parts.read(file));
  if (torch) parts.takeSchedulers(torch);
  return {
    files: parts.files,
    step: storedStep(torch?.root),
    schedulers: parts.schedulers,
    checksums: parts.checksums,
    problems: parts.problems.toArray(),
    isWhole: parts.isWhole && (file === undefined || torch !== null),
  };
}
