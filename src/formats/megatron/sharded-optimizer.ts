/** `optimizer.state.exp_avg.<key>`: an optimizer whose states carry the names of their parameters. */
import type { HyperValue, Optimizer } from '../../checkpoint/optimizer.ts';
import type { Owner } from '../optimizer-state/map-parameters.ts';
import type { RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { CommonState } from './common-state.ts';
import { agreedSettings, unnamedOptimizer } from './unnamed-groups.ts';

const statePattern = /^((?:.*\.)?optimizer\.)state\.([^.]+)\.(.+)$/;

/** Keys of the fp32 weights: with the distributed optimizer, and without. */
const masterKeys = new Set(['param', 'fp32_param']);

/** True for a tensor of an optimizer of any kind. */
export function isOptimizerKey(name: string): boolean {
  return statePattern.test(name) || /(^|\.)optimizer\.distributed\./.test(name);
}

interface Named {
  readonly tensors: Map<string, TensorDraft>;
  master: TensorDraft | null;
}

/** Optimizers by their prefix, each with its states by parameter: chains have several. */
function statesOf(drafts: Iterable<TensorDraft>): Map<string, Map<string, Named>> {
  const optimizers = new Map<string, Map<string, Named>>();
  for (const draft of drafts) {
    const match = statePattern.exec(draft.name);
    if (!match) continue;
    const [, prefix = '', key = '', parameter = ''] = match;
    const states = optimizers.get(prefix) ?? new Map<string, Named>();
    optimizers.set(prefix, states);
    const own = states.get(parameter) ?? { tensors: new Map(), master: null };
    states.set(parameter, own);
    if (masterKeys.has(key)) own.master = draft;
    else own.tensors.set(key, draft);
  }
  return optimizers;
}

export interface ShardedState {
  readonly drafts: Iterable<TensorDraft>;
  /** Weights by key. */
  readonly weights: ReadonlyMap<string, TensorDraft>;
  readonly common: Pick<CommonState, 'groups' | 'step'>;
  /** Where the groups lie. */
  readonly file: string;
}

/** One optimizer for each prefix. Its parameters are named, their groups are not. */
export function shardedOptimizers({ drafts, weights, common, file }: ShardedState): Optimizer[] {
  const grouped = agreedSettings(common.groups).get('step');
  const step = common.step ?? (typeof grouped === 'number' ? grouped : null);
  const plain = new Map<string, HyperValue>(step === null ? [] : [['step', step]]);
  return [...statesOf(drafts)].map(([prefix, named]) => {
    const states = new Map<string, RawState>();
    const owners = new Map<string, Owner>();
    for (const [parameter, { tensors }] of named) {
      states.set(parameter, { id: parameter, path: `${prefix}state.${parameter}`, tensors, plain });
      const tensor = weights.get(parameter);
      if (tensor) owners.set(parameter, { tensor, mapping: 'fqn' });
    }
    const masters = [...named.values()].flatMap(({ master }) => master ?? []);
    const isWhole = masters.length === named.size;
    const stored = { prefix, file, groups: common.groups };
    return unnamedOptimizer(stored, { states, owners, masters: isWhole ? masters : null });
  });
}
