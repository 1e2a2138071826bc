/** One finding a tensor, and one event where a whole group moved. */
import type { Evidence, SuspicionFinding } from './finding.ts';
import { isolatedUpdate } from './isolated-update.ts';
import { isolatedValue } from './isolated-value.ts';
import { loneGiant } from './lone-giant.ts';
import type { RunMemory } from './run-memory.ts';
import { staleActInGroups, staleTensor } from './stale-tensor.ts';
import { isTested, type Subject } from './subject.ts';
import type { Group } from './suspicion.ts';
import { exactRules } from './suspicions.ts';
import { isWholeRun, wholeRunEvent } from './whole-run-moved.ts';

/** Rules without calibration → groups in which many hits at once are an act of somebody. */
const acts: ReadonlyMap<string, readonly Group[]> = new Map([
  ...exactRules.map((rule) => [rule.id, rule.actInGroups] as const),
  [staleTensor.id, staleActInGroups],
  [loneGiant.id, staleActInGroups],
]);

/** Rules whose element is the damaged one, and not the first of many. */
const pointing: ReadonlySet<string> = new Set([isolatedValue.id, isolatedUpdate.id]);

/** Evidence that may melt into one event of its group, by what it is counted with. */
function bucketOf({ rule, line }: Evidence, group: Group): string | null {
  if (line !== null) return `${group}\0`;
  return acts.get(rule)?.includes(group) ? `${group}\0${rule}` : null;
}

interface Bucket {
  readonly group: Group;
  /** Calibrated lines leave the smallest tensors out, the other rules do not. */
  readonly calibrated: boolean;
  readonly evidence: Evidence[];
  readonly tensors: Set<string>;
}

function fillBuckets(
  evidence: readonly Evidence[],
  groups: ReadonlyMap<string, Group>,
): ReadonlyMap<string, Bucket> {
  const buckets = new Map<string, Bucket>();
  for (const each of evidence) {
    const group = groups.get(each.tensor);
    const key = group === undefined ? null : bucketOf(each, group);
    if (group === undefined || key === null) continue;
    const bucket = buckets.get(key) ?? {
      group,
      calibrated: each.line !== null,
      evidence: [],
      tensors: new Set(),
    };
    bucket.evidence.push(each);
    bucket.tensors.add(each.tensor);
    buckets.set(key, bucket);
  }
  return buckets;
}

/** Takes events of the whole run out of the evidence. */
export function splitEvents(
  evidence: readonly Evidence[],
  subjects: readonly Subject[],
): { readonly rest: readonly Evidence[]; readonly events: readonly SuspicionFinding[] } {
  const groups = new Map(subjects.map(({ name, group }) => [name, group]));
  const events: SuspicionFinding[] = [];
  const melted = new Set<Evidence>();
  for (const bucket of fillBuckets(evidence, groups).values()) {
    const { group, calibrated, evidence: found, tensors } = bucket;
    const members = subjects.filter(
      (each) => each.group === group && (!calibrated || isTested(each)),
    ).length;
    if (!isWholeRun(tensors.size, members)) continue;
    for (const each of found) melted.add(each);
    events.push(wholeRunEvent(group, found, { suspects: tensors.size, members }));
  }
  return { rest: evidence.filter((each) => !melted.has(each)), events };
}

/** How findings are ordered: what was not calibrated comes last. */
function weight({ net }: { readonly net: number | null }): number {
  return net ?? Number.NEGATIVE_INFINITY;
}

function heaviestFirst<T extends { readonly net: number | null }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (weight(a) === weight(b) ? 0 : weight(b) - weight(a)));
}

function infoKey(rule: string, tensor: string): string {
  return `${rule}\0${tensor}`;
}

/** The strongest evidence of each tensor with the others under it, heaviest first. */
export function gatherFindings(
  evidence: readonly Evidence[],
  memory: RunMemory,
  step: number | null,
): SuspicionFinding[] {
  const byTensor = new Map<string, Evidence[]>();
  for (const each of evidence) {
    const known = byTensor.get(each.tensor);
    if (known) known.push(each);
    else byTensor.set(each.tensor, [each]);
  }
  const earlier = new Set(memory.infos.flat().map(([rule, tensor]) => infoKey(rule, tensor)));
  const findings = [...byTensor.values()].map((all): SuspicionFinding => {
    const [first, ...others] = heaviestFirst(all) as [Evidence, ...Evidence[]];
    const warned = first.severity === 'warning';
    const open = memory.open.get(first.tensor);
    const again = earlier.has(infoKey(first.rule, first.tensor));
    const pointer = others.find(({ rule }) => pointing.has(rule));
    return {
      ...first,
      element: first.element ?? pointer?.element ?? null,
      others,
      since: warned ? (open ? open.since : step) : null,
      persistent: !warned && again,
    };
  });
  return heaviestFirst(findings);
}
