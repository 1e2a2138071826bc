/** One rank's optimizer states: its shares of the flat vectors, as its file spells them. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { RawOptimizer } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { entryOf, isSequence, type PickleValue } from '../pickle/values.ts';
import type { TorchParts } from '../torch-parts.ts';
import { findOptimizerDicts, scalarsOf } from '../torch-zip/optimizer-dicts.ts';
import { OptimizerReader } from '../torch-zip/optimizer-reader.ts';
import { readScalars } from '../torch-zip/scalars.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { elasticState } from './elastic-state.ts';
import { countOf, countsOf, type Fragment, fragmentsOf } from './stored-values.ts';

/** The dictionary around a rank's state. */
const outer = 'optimizer_state_dict';

/** Where the base optimizer's dictionary and the fp32 vectors lie, by form. */
const forms = [
  { state: 'base_optimizer_state', masters: 'single_partition_of_fp32_groups' },
  { state: 'optimizer_state_dict', masters: 'fp32_flat_groups' },
] as const;

export interface RankShare {
  readonly rank: number;
  readonly file: string;
  /** ZeRO 3 cuts every parameter; 1 and 2 cut whole vectors. Null: BF16_Optimizer does not say. */
  readonly stage: number | null;
  readonly eachIsCut: boolean;
  /** Ranks that share the vectors, null where nothing says. */
  readonly ranks: number | null;
  /** Ranks that share each vector, where they are told apart: fewer have the same experts. */
  readonly sharers: readonly number[] | null;
  readonly version: string | null;
  /** States have the numbers of the vectors. */
  readonly optimizer: RawOptimizer;
  /** fp32 vectors by number. */
  readonly masters: readonly (TensorDraft | undefined)[];
  /** Elements at the end of this rank's share of each vector that are no parameter's. */
  readonly paddings: readonly number[] | null;
  /** Elements after each parameter of each vector that are nobody's. */
  readonly gaps: readonly (readonly number[] | null)[] | null;
  /** What lies in this rank's share of each vector, where the file says. */
  readonly fragments: readonly (ReadonlyMap<string, Fragment> | null)[] | null;
  /** The counter of each vector. */
  readonly steps: ReadonlyMap<string, number>;
  /** What the archive calls itself. */
  readonly archiveName: string;
}

function listOf<T>(
  value: PickleValue | undefined,
  read: (item: PickleValue) => T,
): readonly T[] | null {
  return isSequence(value) ? value.items.map(read) : null;
}

/** One number, or the largest of a list with one for each group. */
function ranksOf(value: PickleValue | undefined): number | null {
  const counts = countsOf(value) ?? [];
  return countOf(value) ?? (counts.length > 0 ? counts.reduce((a, b) => Math.max(a, b)) : null);
}

/** Counters in the states, as numbers or in tensors; groups that keep one speak for the rest. */
export function stepsOf(
  optimizer: RawOptimizer,
  scalars: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const steps = new Map<string, number>();
  for (const { hyper, ids } of optimizer.groups) {
    const step = hyper.get('step');
    for (const id of ids) if (typeof step === 'number' && step > 0) steps.set(id, step);
  }
  for (const [id, { tensors, plain }] of optimizer.states) {
    const tensor = tensors.get('step');
    const step = tensor ? scalars.get(tensor.name) : plain.get('step');
    if (typeof step === 'number') steps.set(id, step);
  }
  return steps;
}

function countersOf(optimizer: RawOptimizer | null): TensorDraft[] {
  return [...(optimizer?.states.values() ?? [])].flatMap(({ tensors }) => {
    const step = tensors.get('step');
    return step?.elements === 1 ? [step] : [];
  });
}

function unknownForm(file: string): Problem {
  const message = 'its optimizer state has no form that DeepSpeed writes: it was not taken apart';
  return { rule: 'note', kind: 'info', file, message };
}

/**
 * Reads the states of one rank; null where they have another form, which is told.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readRankShare(
  parts: TorchParts,
  file: SourceFile,
  rank: number,
): Promise<RankShare | null> {
  const torch = await parts.read(file);
  if (!torch || torch.root === undefined) return null;
  const state = entryOf(torch.root, outer);
  const dicts = findOptimizerDicts(torch.containers);
  const form = forms.find((each) => entryOf(state, each.masters) !== undefined);
  const path = `${outer}.${form?.state}`;
  const dict = dicts.find((each) => each.path === path);
  const list = form && entryOf(state, form.state);
  const elastic = dict ? null : elasticState(torch, list, { path, file: file.name });
  if (!form || (!dict && !elastic)) {
    parts.problems.add(unknownForm(file.name));
    return null;
  }
  const { name, sizeBytes } = file;
  const from = { source: parts.source, file: name, sizeBytes };
  const wanted = dict ? scalarsOf(dict, torch) : countersOf(elastic);
  const scalars = await readScalars(from, wanted);
  const tensorValue = (at: string) => {
    const tensor = torch.byPath.get(at);
    return tensor && scalars.get(tensor.name);
  };
  const reader = new OptimizerReader(torch, { name, tensorValue });
  const optimizer = dict ? reader.read(dict) : (elastic as RawOptimizer);
  const version = entryOf(state, 'ds_version') ?? entryOf(torch.root, 'ds_version');
  return {
    rank,
    file: name,
    stage: countOf(entryOf(state, 'zero_stage')),
    eachIsCut: form.masters === 'fp32_flat_groups',
    ranks: ranksOf(entryOf(state, 'partition_count')),
    sharers: countsOf(entryOf(state, 'partition_count')),
    version: typeof version === 'string' ? version : null,
    optimizer,
    masters: mastersOf(torch, entryOf(state, form.masters), `${outer}.${form.masters}`),
    paddings: countsOf(entryOf(state, 'group_paddings')),
    gaps: listOf(entryOf(state, 'param_alignment_paddings'), countsOf),
    fragments: listOf(entryOf(state, 'param_slice_mappings'), fragmentsOf),
    steps: stepsOf(optimizer, scalars),
    archiveName: torch.archiveName,
  };
}

function mastersOf(
  { byPath }: TorchFile,
  list: PickleValue | undefined,
  path: string,
): (TensorDraft | undefined)[] {
  return isSequence(list) ? list.items.map((_item, i) => byPath.get(`${path}.${i}`)) : [];
}
