/** Do the ranks' files belong to one save? A file of an earlier one loads without a word. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { ModelStates } from './model-states.ts';
import type { RankShare } from './rank-share.ts';

/** What one file counts. */
export interface Counted {
  readonly file: string;
  readonly step: number;
}

function stale(file: string, message: string): Problem {
  return { rule: 'shard-stale', kind: 'damage', file, message };
}

/**
 * Files whose count differs from the others'. `told` is what the engine itself counts, where that
 * is one of the counts: else the highest is taken for the present one.
 */
function outliers(counted: readonly Counted[], told: number | null): Problem[] {
  const steps = new Set(counted.map(({ step }) => step));
  if (steps.size <= 1) return [];
  const isTold = told !== null && steps.has(told);
  const present = isTold ? told : [...steps].reduce((a, b) => Math.max(a, b));
  return counted.flatMap(({ file, step }) => {
    if (step === present) return [];
    const message = `it has taken ${step} steps, and the others ${present}: another save's file`;
    return [stale(file, message)];
  });
}

/** The largest counter of a rank's vectors: they may differ only where one was added later. */
function stepOf({ steps }: RankShare): number | null {
  const values = [...steps.values()];
  return values.length === 0 ? null : values.reduce((a, b) => Math.max(a, b));
}

function settingsOf({ optimizer, version, stage, ranks }: RankShare): string {
  const groups = optimizer.groups.map(({ hyper }) => [...hyper]);
  return JSON.stringify([groups, version, stage, ranks]);
}

/** What the engine's count makes of the steps that the optimizer took. */
function toldBy(models: readonly ModelStates[]): number | null {
  const [first] = models;
  return first?.steps == null ? null : first.steps - first.skipped;
}

/** Optimizer states of ranks against each other, and model states against each other. */
export function rankFaults(
  shares: readonly RankShare[],
  models: readonly ModelStates[],
): readonly Problem[] {
  const told = toldBy(models);
  const optimizers = shares.flatMap((share) => {
    const step = stepOf(share);
    return step === null ? [] : [{ file: share.file, step }];
  });
  const engines = models.flatMap(({ file, steps }) => {
    return steps === null ? [] : [{ file: file.name, step: steps }];
  });
  const problems = [...outliers(optimizers, told), ...outliers(engines, null)];
  const named = new Set(problems.map(({ file }) => file));
  const settings = shares.filter(({ file }) => !named.has(file));
  const [first, ...others] = settings;
  for (const share of others) {
    if (!first || settingsOf(share) === settingsOf(first)) continue;
    const message = `its groups, version or number of ranks are not those of rank ${first.rank}`;
    problems.push(stale(share.file, message));
  }
  return problems;
}

/** Model states of model-parallel ranks: each holds its slices of one save. */
export function modelFaults(counted: readonly Counted[]): readonly Problem[] {
  return outliers(counted, null);
}

/** Worth a word and no more: an optimizer may have been made anew when training was resumed. */
export function countNote(
  shares: readonly RankShare[],
  models: readonly ModelStates[],
): readonly Problem[] {
  const told = toldBy(models);
  const [share] = shares;
  const step = share ? stepOf(share) : null;
  const [model] = models;
  if (told === null || step === null || told === step || !model) return [];
  const message = `the engine counts ${told} steps that were taken, the optimizer ${step}`;
  return [{ rule: 'note', kind: 'info', file: model.file.name, message }];
}

/** A file that calls itself another one of this checkpoint: two ranks' files were exchanged. */
export function misplaced(
  archives: readonly { readonly file: string; readonly archiveName: string }[],
): readonly Problem[] {
  const stem = (file: string) => file.replace(/^.*\/|\.[^.]*$/g, '');
  const stems = new Set(archives.map(({ file }) => stem(file)));
  return archives.flatMap(({ file, archiveName }): Problem[] => {
    if (archiveName === stem(file) || !stems.has(archiveName)) return [];
    const message = `it was written as ${archiveName}.pt: it lies under another rank's name`;
    return [{ rule: 'shard-misplaced', kind: 'damage', file, message }];
  });
}

/** Counters of parameters that one converter wrote at once: all moved together. */
export function counterFaults(
  counters: readonly { readonly step: number | null; readonly stepFile: string | null }[],
  told: number | null,
): readonly Problem[] {
  const counted = counters.flatMap(({ step, stepFile }) => {
    return step === null || stepFile === null ? [] : [{ file: stepFile, step }];
  });
  return outliers(counted, told);
}
