/**
 * Flat buckets of Megatron's distributed optimizer: one vector of masters and of each moment for
 * many parameters, and nothing in the file that names them. Laws that look at one element at a time
 * need no name.
 */
import type { HyperValue, Optimizer } from '../../checkpoint/optimizer.ts';
import { buildOptimizer } from '../optimizer-state/build-optimizer.ts';
import { proveKind } from '../optimizer-state/optimizer-kind.ts';
import type { RawGroup, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

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

/** The settings on which all groups agree: those of any element, whichever group it is in. */
function agreedSettings(groups: readonly RawGroup[]): ReadonlyMap<string, HyperValue> {
  const [first, ...others] = groups;
  const agreed = [...(first?.hyper ?? [])].filter(([key, value]) => {
    return others.every(({ hyper }) => {
      return hyper.has(key) && JSON.stringify(hyper.get(key)) === JSON.stringify(value);
    });
  });
  return new Map(agreed);
}

/**
 * The optimizer over buckets. Its stored groups hold no parameters, because none is named; one more
 * group holds the buckets, with what all stored ones agree on. The counter in the groups is every
 * parameter's: the optimizer steps whole buckets.
 */
export function bucketOptimizer(
  stored: Pick<RawOptimizer, 'prefix' | 'file' | 'groups'>,
  buckets: readonly Bucket[],
): Optimizer {
  const hyper = agreedSettings(stored.groups);
  const step = hyper.get('step');
  const plain = new Map<string, HyperValue>(typeof step === 'number' ? [['step', step]] : []);
  const states = new Map<string, RawState>();
  for (const { path, tensors } of buckets) states.set(path, { id: path, path, tensors, plain });
  const ids = buckets.map(({ path }) => path);
  const empty = stored.groups.map((group) => ({ ...group, ids: [] }));
  const agreed = { hyper, stepDtype: null, ids, names: null };
  const masters = buckets.flatMap(({ master }) => master ?? []);
  const isWhole = masters.length === buckets.length;
  const raw: RawOptimizer = {
    ...stored,
    states,
    groups: [...empty, agreed],
    masters: isWhole ? [...empty.map(() => []), masters] : null,
  };
  const proof = proveKind({ ...raw, groups: stored.groups });
  const built = buildOptimizer(raw, new Map(), new Map());
  return { ...built, kind: proof?.kind ?? null, kindFrom: proof?.from ?? null };
}
