/** stale-tensor: one tensor of a parameter stood still while the others moved. */
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { ExactHit } from './exact-rule.ts';
import { movingKept } from './run-memory.ts';
import type { Subject } from './subject.ts';
import type { Group, SuspicionText } from './suspicion.ts';

/** Share of the weights that must have moved at each of the checkpoints before. */
const leastMoving = 0.25;

/** How many checkpoints before that is asked of; the present one is not asked. */
const leastCheckpoints = movingKept - 1;

/** Many at once are the act of somebody, whatever they are. */
export const staleActInGroups: readonly Group[] = ['weight', 'first', 'second'];

/** Its text; it is judged by `judgeStale`, over the tensors of a parameter. */
export const staleTensor: SuspicionText = {
  id: 'stale-tensor',
  title: 'One tensor of a parameter stood still while the others moved',
  family: 'statistics',
  statement:
    'The content is bit for bit that of the last trusted checkpoint while another tensor of ' +
    'the same parameter changed, after 4 checkpoints in each of which more than 25 % of the ' +
    'weights moved.',
  means: 'An old copy was saved, or a layer was not updated.',
  catches:
    'Stale shards and buffers, a layer that the optimizer forgot, moments that were not written.',
  quiet:
    'Frozen layers and experts without tokens: weights and moments all stand still. bf16 ' +
    'weights at small rates: the fp32 master is judged. A learning rate of 0 holds all weights ' +
    'at once: told once, as info.',
  needs: '5 earlier checkpoints; which moments belong to which weight; digests of the content',
  cost: 'none beside the summary',
};

/** Both contents are known. */
function hasDigests({ now, before }: Subject): boolean {
  return now.digest !== null && before !== null && before.digest !== null;
}

function isSame({ now, before }: Subject): boolean {
  return now.digest === before?.digest;
}

/** The weights that the rest is measured by: the master where the parameter has one. */
function anchorOf(members: readonly Subject[]): Subject | null {
  const weights = members.filter(({ group }) => group === 'weight');
  const width = ({ record }: Subject) => dtypeBits[record.dtype];
  return weights.reduce<Subject | null>(
    (widest, each) => (widest && width(widest) >= width(each) ? widest : each),
    null,
  );
}

/** What could be said of the tensors of one parameter. */
export interface StaleJudgement {
  /** Members that could be judged. */
  readonly judged: readonly Subject[];
  readonly stale: readonly Subject[];
}

/**
 * Members of one parameter that stand still although another one moved. A tensor of zeros is
 * neither. Where a parameter has two second moments (AMSGrad's maximum may rest), both must stand
 * still.
 * @param members all tensors of the parameter
 */
export function judgeStale(members: readonly Subject[]): StaleJudgement {
  const anchor = anchorOf(members);
  const shares = anchor ? anchor.moving.slice(-movingKept, -1) : [];
  if (shares.length < leastCheckpoints || !shares.every((share) => share > leastMoving)) {
    return { judged: [], stale: [] };
  }
  const known = members.filter(
    (each) => (each.group !== 'weight' || each === anchor) && hasDigests(each),
  );
  const moved = new Set(known.filter((each) => !isSame(each)).map(({ group }) => group));
  const judged = known.filter(({ group }) => group !== 'buffer');
  const stale = judged.filter((each) => !moved.has(each.group) && !each.now.blank);
  return { judged, stale: moved.size > 0 ? stale : [] };
}

/** What is said of a stale tensor. */
export const staleHit: ExactHit = {
  value: 0,
  reference: 0,
  message:
    'every element is bit for bit what it was, while another tensor of this parameter changed',
  lanes: [],
  planes: [],
};
