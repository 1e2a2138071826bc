/** What one file of torch.save means: models, optimizers, the step. */
import type { SchedulerState } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { buildOptimizer, type Scalars } from '../optimizer-state/build-optimizer.ts';
import { findFrozen } from '../optimizer-state/frozen.ts';
import { hyperParameterProblems } from '../optimizer-state/hyper-parameters.ts';
import { ParameterMapper } from '../optimizer-state/map-parameters.ts';
import { NameIndex } from '../optimizer-state/name-match.ts';
import type { ModelTensors, RawOptimizer } from '../optimizer-state/raw-optimizer.ts';
import { splitByKind } from '../optimizer-state/split-kinds.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { findModels } from './model-dicts.ts';
import { findOptimizerDicts, scalarsOf } from './optimizer-dicts.ts';
import { OptimizerReader } from './optimizer-reader.ts';
import { readScalars } from './scalars.ts';
import { schedulersIn } from './scheduler-state.ts';
import type { SavedState } from './torch-file.ts';
import { agreedStep, batchCounters, storedStep } from './trainer-state.ts';

export interface TorchContents {
  readonly step: number | null;
  readonly optimizers: readonly Optimizer[];
  readonly frozen: readonly string[];
  readonly schedulers: readonly SchedulerState[];
  readonly problems: readonly Problem[];
}

export interface FileOfSource {
  readonly source: Source;
  readonly file: SourceFile;
}

function readValues(
  { source, file }: FileOfSource,
  tensors: readonly TensorDraft[],
): Promise<Scalars> {
  return readScalars({ source, file: file.name, sizeBytes: file.sizeBytes }, tensors);
}

/** Counters that lie in a group serve all of its parameters. */
function markGroupCounters(file: SavedState, optimizer: RawOptimizer): void {
  for (const group of optimizer.groups.keys()) {
    const step = file.byPath.get(`${optimizer.prefix}param_groups.${group}.step`);
    if (step) step.role = 'step';
  }
}

/** Batches seen in training, where every trained BatchNorm layer counted the same number. */
async function countedBatches(
  from: FileOfSource,
  models: readonly ModelTensors[],
  optimizers: readonly Optimizer[],
): Promise<number | null> {
  const names = new Set(batchCounters(models, optimizers));
  const tensors = models.flatMap((model) => [...model.tensors.values()]);
  const counters = tensors.filter(({ name, elements }) => names.has(name) && elements === 1);
  const counts = new Set((await readValues(from, counters)).values());
  const [count] = counts;
  return counts.size === 1 && count !== undefined && count > 0 ? count : null;
}

async function findStep(
  from: FileOfSource,
  file: SavedState,
  found: { models: readonly ModelTensors[]; optimizers: readonly Optimizer[] },
): Promise<{ step: number | null; problems: Problem[] }> {
  const told = storedStep(file.root) ?? agreedStep(found.optimizers);
  const counts = found.optimizers.some(({ parameters }) => {
    return parameters.some(({ step }) => step !== null);
  });
  if (told !== null || counts) return { step: told, problems: [] };
  const step = await countedBatches(from, found.models, found.optimizers);
  if (step === null) return { step: null, problems: [] };
  const message =
    `nothing counts steps here; ${step} is the number of training batches ` + 'that BatchNorm saw';
  return { step, problems: [{ rule: 'note', kind: 'info', file: from.file.name, message }] };
}

/**
 * Finds out what the tensors of `file` are for and marks them. `models` are the weights where they
 * lie in other files; by default they are looked for in this one.
 * @throws LaikaError as `Source.read`.
 */
export async function readContents(
  from: FileOfSource,
  file: SavedState,
  models?: readonly ModelTensors[],
): Promise<TorchContents> {
  const dicts = findOptimizerDicts(file.containers);
  const weights = models ?? findModels(file, new Set(dicts.map(({ dict }) => dict)));
  const scalars = await readValues(
    from,
    dicts.flatMap((dict) => scalarsOf(dict, file)),
  );
  const tensorValue = (path: string) => {
    const tensor = file.byPath.get(path);
    return tensor && scalars.get(tensor.name);
  };
  const reader = new OptimizerReader(file, { name: from.file.name, tensorValue });
  const mapper = new ParameterMapper(weights, new NameIndex(weights));
  const saved = dicts.map((dict) => reader.read(dict));
  const known = saved.flatMap(splitByKind).map((optimizer) => {
    return { optimizer, owners: mapper.map(optimizer) };
  });
  const optimizers = known.map(({ optimizer, owners }) => {
    return buildOptimizer(optimizer, owners, scalars);
  });
  for (const optimizer of saved) markGroupCounters(file, optimizer);
  const { step, problems } = await findStep(from, file, { models: weights, optimizers });
  return {
    step,
    optimizers,
    frozen: findFrozen(weights, known),
    schedulers: schedulersIn(file.containers),
    problems: [...saved.flatMap(hyperParameterProblems), ...problems],
  };
}
