/**
 * Groups of an optimizer whose parameters no file names. Megatron keeps the settings of its groups
 * and not who is in which: what all groups agree on holds for every parameter, the rest for none.
 */
import type { HyperValue, Optimizer } from '../../checkpoint/optimizer.ts';
import { buildOptimizer } from '../optimizer-state/build-optimizer.ts';
import type { Owners } from '../optimizer-state/map-parameters.ts';
import { proveKind } from '../optimizer-state/optimizer-kind.ts';
import type { RawGroup, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** The settings on which all groups agree. */
export function agreedSettings(groups: readonly RawGroup[]): ReadonlyMap<string, HyperValue> {
  const [first, ...others] = groups;
  const agreed = [...(first?.hyper ?? [])].filter(([key, value]) => {
    return others.every(({ hyper }) => {
      return hyper.has(key) && JSON.stringify(hyper.get(key)) === JSON.stringify(value);
    });
  });
  return new Map(agreed);
}

/** States whose groups are not known. */
export interface UngroupedStates {
  readonly states: ReadonlyMap<string, RawState>;
  readonly owners: Owners;
  /** In the order of the states; null where one of them has none. */
  readonly masters: readonly TensorDraft[] | null;
}

/**
 * The optimizer over these states: the stored groups, without parameters, and one more that holds
 * all of them. A single stored group holds them itself.
 */
export function unnamedOptimizer(
  stored: Pick<RawOptimizer, 'prefix' | 'file' | 'groups'>,
  { states, owners, masters }: UngroupedStates,
): Optimizer {
  const ids = [...states.keys()];
  const [only, another] = stored.groups;
  const empty = another ? stored.groups.map((group) => ({ ...group, ids: [], names: null })) : [];
  const hyper = another ? agreedSettings(stored.groups) : (only?.hyper ?? new Map());
  const all: RawGroup = { hyper, stepDtype: null, ids, names: null };
  const raw: RawOptimizer = {
    prefix: stored.prefix,
    file: stored.file,
    states,
    groups: [...empty, all],
    masters: masters && [...empty.map(() => []), masters],
  };
  const proof = proveKind(stored.groups.length > 0 ? { ...raw, groups: stored.groups } : raw);
  const built = buildOptimizer(raw, owners, new Map());
  return { ...built, kind: proof?.kind ?? null, kindFrom: proof?.from ?? null };
}
