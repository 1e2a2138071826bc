/** What is not sharded: arguments, iteration, settings of the optimizer, in `common.pt` or an item. */
import type { SourceFile } from '../../sources/source.ts';
import type { OpenedDcp } from '../dcp/open-dcp.ts';
import type { RawGroup } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import {
  entryOf,
  isDict,
  isSequence,
  type PickleDict,
  type PickleValue,
} from '../pickle/values.ts';
import type { TorchParts } from '../torch-parts.ts';
import { OptimizerReader } from '../torch-zip/optimizer-reader.ts';
import { readScalars } from '../torch-zip/scalars.ts';
import type { SavedState } from '../torch-zip/torch-file.ts';
import { storedStep } from '../torch-zip/trainer-state.ts';

export interface CommonState {
  readonly root: PickleValue | undefined;
  /** Tensors of `common.pt`, by their path. */
  readonly tensors: readonly TensorDraft[];
  readonly iteration: number | null;
  /** Settings of the groups; none of them names a parameter. */
  readonly groups: readonly RawGroup[];
  /** The one counter of all parameters, where it does not lie in the groups. */
  readonly step: number | null;
}

export const commonName = 'common.pt';

/** From core 0.19 on, the common state is an item of the distributed checkpoint. */
const itemName = /^common_state\/shard_/;

/** The optimizer's own dictionary without its tensors, as one item of all ranks. */
const optimizerItem = /(^|\.)optimizer\/shard_/;

/** Counters of all parameters, one for each optimizer of a chain; NeMo lists what Megatron hands it. */
const counterPath = /^optimizer(?:\.[0-9]{1,4}){0,2}\.optimizer\.state\.common_step$/;

/** Dictionaries inside each other, down to the groups. */
const depthMost = 5;

/** The dictionary that holds groups, and its path; null where none does. */
function findGroups(
  value: PickleValue | undefined,
  path: string,
  depth = 0,
): { path: string; dict: PickleDict } | null {
  if (depth >= depthMost) return null;
  // NeMo 2 keeps its one optimizer in a list.
  if (isSequence(value)) {
    const [only, ...others] = value.items;
    return others.length > 0 ? null : findGroups(only, `${path}.0`, depth + 1);
  }
  if (!isDict(value)) return null;
  if (isSequence(value.entries.get('param_groups'))) return { path, dict: value };
  for (const key of ['optimizer', 0]) {
    const below = path === '' ? String(key) : `${path}.${key}`;
    const found = findGroups(value.entries.get(key), below, depth + 1);
    if (found) return found;
  }
  return null;
}

/** An item is a list of the ranks' objects: all of them say the same, and the first is taken. */
function firstOf(root: PickleValue | undefined): PickleValue | undefined {
  return isSequence(root) ? root.items[0] : root;
}

function groupsIn(state: SavedState, root: PickleValue | undefined, above: string): RawGroup[] {
  const found = findGroups(root, above);
  if (!found) return [];
  const reader = new OptimizerReader(state, { name: commonName, tensorValue: () => undefined });
  return [...reader.read({ ...found, parent: undefined }).groups];
}

/**
 * Reads the common state, from its file where there is one.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readCommonState(
  parts: TorchParts,
  file: SourceFile | undefined,
  { values }: OpenedDcp,
): Promise<CommonState> {
  const torch = file ? await parts.read(file) : null;
  if (torch) parts.takeSchedulers(torch);
  const item = [...values].find(([name]) => itemName.test(name))?.[1];
  const root = torch?.root ?? firstOf(item?.root);
  const state: SavedState = torch ?? { root, containers: [], byPath: new Map() };
  let groups = groupsIn(state, entryOf(root, 'optimizer'), 'optimizer');
  for (const [name, each] of values) {
    if (groups.length > 0 || !optimizerItem.test(name)) continue;
    const inner = { root: each.root, containers: [], byPath: each.byPath };
    groups = groupsIn(inner, firstOf(each.root), '0');
  }
  const counters = [...(torch?.byPath ?? [])].flatMap(([path, counter]) => {
    return counterPath.test(path) ? [counter] : [];
  });
  for (const counter of counters) counter.role = 'step';
  const from = file && { source: parts.source, file: file.name, sizeBytes: file.sizeBytes };
  const read = from ? await readScalars(from, counters) : new Map<string, number>();
  const steps = new Set(counters.map(({ name }) => read.get(name) ?? null));
  const [step = null] = steps;
  return {
    root,
    tensors: torch?.tensors ?? [],
    iteration: storedStep(root),
    groups,
    // Counters of a chain that differ say nothing of one parameter.
    step: steps.size === 1 ? step : null,
  };
}
