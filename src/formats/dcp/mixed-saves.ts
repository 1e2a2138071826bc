/** Are all files of a distributed checkpoint of one save? */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** Clocks of storages are this far apart at most. */
const clockSlackMs = 2000;

/** Counters of optimizers by the file that they lie in. */
export function stepsByFile(
  tensors: readonly TensorDraft[],
  optimizers: readonly Optimizer[],
): Map<string, Set<number>> {
  const homes = new Map(tensors.map(({ name, file }) => [name, file]));
  const steps = new Map<string, Set<number>>();
  for (const { tensors: own, step } of optimizers.flatMap(({ parameters }) => parameters)) {
    const home = own.step === undefined ? undefined : homes.get(own.step);
    if (home === undefined || step === null) continue;
    steps.set(home, (steps.get(home) ?? new Set()).add(step));
  }
  return steps;
}

/**
 * The metadata is written last. A save that was killed over an older one leaves new data under old
 * metadata, and torch loads the mixture without a word. `files`: the metadata, then its data.
 */
export function mixedSaves(
  files: readonly SourceFile[],
  steps: ReadonlyMap<string, ReadonlySet<number>>,
): Problem[] {
  const [metadata, ...data] = files;
  if (!metadata) return [];
  const written = metadata.modifiedMs ?? Number.POSITIVE_INFINITY;
  const newer = data.filter(({ modifiedMs }) => (modifiedMs ?? 0) > written + clockSlackMs);
  if (newer.length === 0) return [];
  const names = newer.slice(0, 3).map(({ name }) => name);
  const told = `${names.join(', ')}${newer.length > 3 ? ', …' : ''}`;
  const counts = data.flatMap(({ name }) => [...(steps.get(name) ?? [])]);
  const isSplit = data.every(({ name }) => (steps.get(name)?.size ?? 0) <= 1);
  if (isSplit && new Set(counts).size > 1) {
    const message =
      `files of different saves lie together: they count ${[...new Set(counts)].join(' and ')} ` +
      `steps; written after the metadata: ${told}`;
    return [{ rule: 'shard-stale', kind: 'damage', file: newer[0]?.name ?? '', message }];
  }
  const message =
    `written after it: ${told}; the files were copied, or a later save into this folder was ` +
    'not finished';
  return [{ rule: 'note', kind: 'info', file: metadata.name, message }];
}
