/** A JAX training state as arrays by path: roles, owners, optimizers and the step. */
import { isComplex, isFloat } from '../../checkpoint/dtype.ts';
import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Source } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { readScalar } from '../scalar-value.ts';
import { isOptimizerScalar, markCounters, readOptaxState } from './optax-state.ts';
import { OwnerIndex } from './owner-index.ts';
import { isStep, leafOf, markTree, optimizerDepth } from './tree-roles.ts';

/** Parts of a path that may be an average's own. */
const rootMost = 4;

export interface TrainState {
  /** The state's own step. */
  readonly step: number | null;
  /** The count that all optimizers agree on: what an accumulator holds back it does not count. */
  readonly count: number | null;
  readonly optimizers: readonly Optimizer[];
  /** Rates are stored for one update at a time: between two checkpoints they may have moved. */
  readonly hasScheduler: boolean;
}

/** Counters and hyper-parameters that are read; a state of millions of them is none. */
const scalarsMost = 10_000;

/**
 * Marks `tensors` and reads the counters among them. `file` names what was read, for people.
 * @throws LaikaError as `Source.read`.
 */
export async function readTrainState(
  source: Source,
  tensors: readonly TensorDraft[],
  file: string,
): Promise<TrainState> {
  markTree(tensors);
  const candidates = tensors.filter(({ name, role, dtype }) => {
    const isArray = isFloat(dtype) || isComplex(dtype);
    const isModel = role === 'parameter' || role === 'other';
    return isArray && isModel && optimizerDepth(name.split('.')) === 0;
  });
  const scalars = await readScalars(source, tensors);
  const owners = new OwnerIndex(candidates);
  const optimizers = readOptaxState(tensors, { owners, scalars, file });
  markCounters(tensors);
  markAverages(tensors, owners);
  const hasScheduler = optimizers.some(({ groups }) => groups.length > 0);
  const own = tensors.filter(({ role }) => role === 'step').filter(isStep);
  const step = agreed(own.map(({ name }) => scalars.get(name) ?? null));
  const states = optimizers.flatMap(({ parameters }) => parameters);
  // A step that gathers gradients, or that is skipped, moves what no counter of updates counts.
  const isHeld = tensors.some(isHolding);
  const count = isHeld ? null : agreed(states.map((each) => each.step));
  return { step, count, optimizers, hasScheduler };
}

/** Counters of steps that move no weights: optax's MultiSteps and apply_if_finite. */
function isHolding({ name, elements }: TensorDraft): boolean {
  const parts = name.split('.');
  if (elements !== 1 || optimizerDepth(parts) === 0) return false;
  return /^(mini_step|notfinite_count)$/.test(leafOf(parts));
}

async function readScalars(
  source: Source,
  tensors: readonly TensorDraft[],
): Promise<Map<string, number>> {
  const scalars = new Map<string, number>();
  for (const tensor of tensors) {
    if (!isOptimizerScalar(tensor) && !isStep(tensor)) continue;
    if (scalars.size >= scalarsMost) break;
    const value = await readCounter(source, tensor);
    if (value !== null) scalars.set(tensor.name, value);
  }
  return scalars;
}

/** Null where its bytes are damaged: whoever reads all tensors says so at its place. */
async function readCounter(source: Source, tensor: TensorDraft): Promise<number | null> {
  try {
    return await readScalar(source, tensor);
  } catch (error) {
    if (isLaikaError(error, 'bytes-damaged')) return null;
    throw error;
  }
}

/** An average repeats the tree of parameters under a root of its own. */
function markAverages(tensors: readonly TensorDraft[], owners: OwnerIndex): void {
  for (const tensor of tensors) {
    if (tensor.role !== 'average' || tensor.parameter !== null) continue;
    let rest = tensor.name;
    for (let root = 0; root < rootMost && rest.includes('.'); root += 1) {
      rest = rest.slice(rest.indexOf('.') + 1);
      const owner = owners.find(rest, tensor.shape);
      if (!owner) continue;
      tensor.parameter = owner.name;
      tensor.mapping = 'fqn';
      break;
    }
  }
}

/** The one value that all of them have, where it counts. */
function agreed(values: readonly (number | null)[]): number | null {
  const [step = null, ...others] = new Set(values);
  const isCount = step !== null && Number.isSafeInteger(step) && step >= 0;
  return isCount && others.length === 0 ? step : null;
}
