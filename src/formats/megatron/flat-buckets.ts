/**
 * Flat buckets of Megatron's distributed optimizer: one vector of masters and of each moment for
 * many parameters, and nothing in the file that names them. Laws that look at one element at a time
 * need no name.
 */
import type { HyperValue, Optimizer } from '../../checkpoint/optimizer.ts';
import type { RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { agreedSettings, unnamedOptimizer } from './unnamed-groups.ts';

export interface Bucket {
  /** Path of the bucket: its tensors lie below it. */
  readonly path: string;
  readonly master: TensorDraft | null;
  /** By key, `exp_avg` and its like. */
  readonly tensors: ReadonlyMap<string, TensorDraft>;
}

/** Key of a bucket's masters. */
const masterKey = 'param';

/** Buckets by their tensors' paths: whatever keeps a first moment beside others. */
export function findBuckets(byPath: ReadonlyMap<string, TensorDraft>): readonly Bucket[] {
  const found = new Map<string, Map<string, TensorDraft>>();
  for (const [path, tensor] of byPath) {
    const dot = path.lastIndexOf('.');
    const above = path.slice(0, Math.max(dot, 0));
    const own = found.get(above) ?? new Map<string, TensorDraft>();
    found.set(above, own.set(path.slice(dot + 1), tensor));
  }
  return [...found].flatMap(([path, tensors]) => {
    if (!tensors.has('exp_avg')) return [];
    const master = tensors.get(masterKey) ?? null;
    tensors.delete(masterKey);
    return [{ path, master, tensors }];
  });
}

/**
 * The optimizer over buckets. The counter in the groups is every parameter's: the optimizer steps
 * whole buckets.
 */
export function bucketOptimizer(
  stored: Pick<RawOptimizer, 'prefix' | 'file' | 'groups'>,
  buckets: readonly Bucket[],
): Optimizer {
  const step = agreedSettings(stored.groups).get('step');
  const plain = new Map<string, HyperValue>(typeof step === 'number' ? [['step', step]] : []);
  const states = new Map<string, RawState>();
  for (const { path, tensors } of buckets) states.set(path, { id: path, path, tensors, plain });
  const masters = buckets.flatMap(({ master }) => master ?? []);
  return unnamedOptimizer(stored, {
    states,
    owners: new Map(),
    masters: masters.length === buckets.length ? masters : null,
  });
}
