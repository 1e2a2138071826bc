/**
 * whole-run-moved: so many tensors at once are not corruption of one, but something that somebody
 * did.
 */
import type { Evidence, SuspicionFinding } from './finding.ts';
import type { Group, SuspicionText } from './suspicion.ts';

/** Share of a group from which its findings become one event. */
const share = 1 / 3;

/** Corruption hits one or two tensors: in a group of two, both may be corrupt. */
const leastTensors = 3;

/** Its text; it is made in gather-findings.ts. */
export const wholeRunMoved: SuspicionText = {
  id: 'whole-run-moved',
  title: 'More than a third of the tensors of one kind moved at once',
  family: 'statistics',
  statement:
    'More than 1/3, and at least 3, of the weights (first moments, second moments) are above ' +
    'the line of an info in one validation; or vanished or stood still at once.',
  means: 'The run as a whole did something new: one event, no findings on single tensors.',
  catches:
    'Nothing by itself: it tells of a new schedule, a pruning mask, a new optimizer, a ' +
    'learning rate of 0.',
  quiet: 'It never pages. The values enter the history, but do not raise the bar of the lines.',
  needs: 'a history of the group',
  cost: 'none',
};

/** Are so many tensors of a group an event of the run? */
export function isWholeRun(suspects: number, members: number): boolean {
  return suspects >= leastTensors && suspects > members * share;
}

const names: Readonly<Record<Group, string>> = {
  weight: 'weights',
  first: 'first moments',
  second: 'second moments',
  buffer: 'buffers',
};

/** The one finding that stands for the group's. */
export function wholeRunEvent(
  group: Group,
  evidence: readonly Evidence[],
  counts: { readonly suspects: number; readonly members: number },
): SuspicionFinding {
  const { suspects, members } = counts;
  const rules = [...new Set(evidence.map(({ rule }) => rule))];
  return {
    rule: wholeRunMoved.id,
    line: null,
    tensor: null,
    bits: null,
    net: null,
    severity: 'info',
    value: suspects,
    reference: members * share,
    element: null,
    lanes: [],
    planes: [],
    message:
      `${suspects} of ${members} ${names[group]} left their history in one validation ` +
      `(${rules.join(', ')}): an event of the run, not the corruption of a tensor`,
    others: [],
    since: null,
    persistent: false,
  };
}
