/** Breaches of everything at once: the base is no ancestor, or the declared rates and betas were not used. */
import type { LawOutcome, ScanOutcome } from '../scan/scan.ts';
import { aboutTensor } from './about.ts';
import type { Finding } from './result.ts';

export interface Ancestry {
  readonly findings: readonly Finding[];
  /** Laws and copy reasons whose single breaches this explains. */
  readonly explains: ReadonlySet<string>;
}

/** A breach of more than this share of all elements, in nearly all tensors, is no local damage. */
const everywhere = { elements: 0.01, tensors: 0.9, least: 3 };

interface Share {
  /** The tensor with the most broken elements. */
  readonly worst: LawOutcome | null;
  readonly tensors: number;
  readonly brokenTensors: number;
  readonly judged: number;
  readonly broken: number;
}

function shareOf(outcome: ScanOutcome, law: string): Share {
  const records = outcome.laws.filter((each) => each.law.id === law && each.record.judged > 0);
  const byBroken = [...records].sort((a, b) => b.record.broken - a.record.broken);
  return {
    worst: byBroken[0] ?? null,
    tensors: records.length,
    brokenTensors: records.filter(({ record }) => record.broken > 0).length,
    judged: records.reduce((sum, { record }) => sum + record.judged, 0),
    broken: records.reduce((sum, { record }) => sum + record.broken, 0),
  };
}

function isEverywhere(share: Share): boolean {
  return (
    share.tensors >= everywhere.least &&
    share.brokenTensors >= share.tensors * everywhere.tensors &&
    share.broken > share.judged * everywhere.elements
  );
}

function finding(rule: string, share: Share, words: { message: string; next: string }): Finding {
  return {
    rule,
    kind: rule === 'lineage-changed' ? 'lineage' : 'declaration',
    certainty: 'suspected',
    severity: 'warning',
    ...(share.worst
      ? aboutTensor(share.worst.subject, share.worst.unit?.head.state.parameter)
      : {}),
    count: share.brokenTensors,
    message: words.message,
    next: words.next,
  };
}

function percent(share: Share): string {
  return `${((100 * share.broken) / share.judged).toFixed(1)} % of all elements in ${share.brokenTensors} of ${share.tensors} tensors`;
}

/** Averages stand beside the state of the optimizer: what is wrong about them alone is their decay. */
function averageBreaches(outcome: ScanOutcome, next: string, explains: Set<string>): Finding[] {
  const share = shareOf(outcome, 'replay-average');
  if (!isEverywhere(share)) return [];
  explains.add('replay-average');
  const message =
    `the decay of the average cannot have been the declared one in this step (a warm-up of the decay, or ` +
    `an average that is not updated at every step): replay-average breaks on ${percent(share)}`;
  return [finding('declaration-mismatch', share, { message, next })];
}

function lawBreaches(outcome: ScanOutcome, next: string, explains: Set<string>): Finding[] {
  const bound = shareOf(outcome, 'moment-bound');
  const increment = shareOf(outcome, 'moment-increment');
  const update = shareOf(outcome, 'bounded-update');
  const replay = shareOf(outcome, 'replay-weights');
  const all = [
    'moment-bound',
    'moment-increment',
    'bounded-update',
    'replay-moments',
    'replay-weights',
    'replay-gradient',
    'state-progress',
    'no-blank-lines',
    'no-repeated-pages',
    'gradient-ledger',
  ];
  if (isEverywhere(bound)) {
    for (const law of all) explains.add(law);
    const message = `the stored betas cannot be those that were used: moment-bound breaks on ${percent(bound)}`;
    return [finding('declaration-mismatch', bound, { message, next })];
  }
  if (isEverywhere(increment)) {
    for (const law of all) explains.add(law);
    const message =
      `the head does not descend from this base (another branch, an optimizer re-created with its steps kept, ` +
      `or betas that were not those used): moment-increment breaks on ${percent(increment)}`;
    return [finding('lineage-changed', increment, { message, next })];
  }
  const moments = shareOf(outcome, 'replay-moments');
  if (isEverywhere(moments)) {
    for (const law of all) explains.add(law);
    const message =
      `the betas cannot be those that were used, or the base is another branch: ` +
      `replay-moments breaks on ${percent(moments)}`;
    return [finding('declaration-mismatch', moments, { message, next })];
  }
  for (const share of [update, replay]) {
    if (!isEverywhere(share)) continue;
    explains.add('bounded-update').add('replay-weights');
    const message =
      `the learning rate cannot have been what file and log say (or the base is another branch): ` +
      `the weights' laws break on ${percent(share)}`;
    return [finding('declaration-mismatch', share, { message, next })];
  }
  return [];
}

/** Names what a breach of everything at once means, and the step that went back. */
export function namesAncestry(outcome: ScanOutcome, next: string): Ancestry {
  const explains = new Set<string>();
  const findings = [
    ...lawBreaches(outcome, next, explains),
    ...averageBreaches(outcome, next, explains),
  ];
  const none = { worst: null, tensors: 0, brokenTensors: 1, judged: 1, broken: 0 };
  if (outcome.steps.backwards) {
    const message =
      'every step counter is below the base’s: the optimizer was re-created, or the base is no ancestor of the head';
    findings.push(finding('lineage-changed', none, { message, next }));
  }
  const copies = outcome.copies.filter(
    (copy) => copy.reason === 'same-step' && copy.record.compared > 1,
  );
  const differing = copies.filter((copy) => copy.record.different > 0);
  if (copies.length >= everywhere.least && differing.length >= copies.length * everywhere.tensors) {
    explains.add('same-step');
    const share = { ...none, brokenTensors: differing.length };
    const message = `two checkpoints of one step differ in ${differing.length} of ${copies.length} tensors: they are two branches of a run`;
    findings.push(finding('lineage-changed', share, { message, next }));
  }
  return { findings, explains };
}
