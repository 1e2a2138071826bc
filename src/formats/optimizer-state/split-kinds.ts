/**
 * Several optimizers that were saved as one: distributed checkpoints merge the states of all of them
 * by parameter name. Groups that prove other classes were optimizers of their own.
 */
import { proveKind } from './optimizer-kind.ts';
import type { RawGroup, RawOptimizer, RawState } from './raw-optimizer.ts';

/** The optimizer with these groups alone, and with their states. */
function withGroups(raw: RawOptimizer, groups: readonly RawGroup[]): RawOptimizer {
  const states = new Map<string, RawState>();
  for (const { ids } of groups) {
    for (const id of ids) {
      const state = raw.states.get(id);
      if (state) states.set(id, state);
    }
  }
  return { ...raw, groups, states };
}

/**
 * One for each class that groups prove; the optimizer as it is where it is one, where a group proves
 * nothing, or where numbers and not names tell the states: only one optimizer counts from 0.
 */
export function splitByKind(raw: RawOptimizer): readonly RawOptimizer[] {
  const isNumbered = raw.groups.some(({ ids }) => ids.some((id) => /^[0-9]+$/.test(id)));
  if (isNumbered || raw.masters || raw.groups.length < 2 || proveKind(raw)) return [raw];
  const byKind = new Map<string, RawGroup[]>();
  let held = 0;
  for (const group of raw.groups) {
    const alone = withGroups(raw, [group]);
    const kind = proveKind(alone)?.kind;
    if (kind === undefined) return [raw];
    held += alone.states.size;
    const like = byKind.get(kind);
    if (like) like.push(group);
    else byKind.set(kind, [group]);
  }
  // A state in no group, or in two, belongs to no part.
  if (byKind.size < 2 || held !== raw.states.size) return [raw];
  return [...byKind.values()].map((groups) => withGroups(raw, groups));
}
