/** Sweeps over tensors that belong to no parameter's state: buffers, frozen parameters, ties. */
import type { Alignment, Ends } from '../checkpoint/align.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Role, Tensor } from '../checkpoint/tensor.ts';
import { isConstantBuffer, isOtherwise } from '../laws/constant-buffers.ts';
import { planComparison, planSingle } from './plan.ts';
import type { PlanContext } from './plan-laws.ts';
import { recomputed } from './recomputed.ts';
import type { Opened, PairEnds } from './scan.ts';
import { tieCandidates } from './seen-ties.ts';
import { planGroups, type SweepRunner } from './sweep-runner.ts';

/**
 * Compares ties that were seen in the base, and returns the names of the tensors that are judged so:
 * a tie moves with its owner and is no frozen parameter.
 */
async function sweepSeenTies(
  run: SweepRunner,
  alignment: Alignment,
  ends: PairEnds,
): Promise<Set<string>> {
  const judged = new Set<string>();
  if (!ends.base) return judged;
  const baseTensors = new Map(ends.base.checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
  const trained = alignment.units.map(
    ({ copy, weight }): Ends =>
      copy ? { head: copy, base: baseTensors.get(copy.name) ?? null } : weight,
  );
  for (const tie of await tieCandidates(alignment.singles, trained, ends.base.source)) {
    const stream = (tensor: Tensor, origin: 'base' | 'head') => ({ tensor, origin });
    const before = planComparison(
      'tied',
      stream(tie.trained.base, 'base'),
      stream(tie.copy.base, 'base'),
    );
    const [seen] = await run.run(before);
    if (!seen || seen.record.different > 0) continue;
    const now = planComparison(
      'seen-tied',
      stream(tie.trained.head, 'head'),
      stream(tie.copy.head, 'head'),
    );
    for (const outcome of await run.run(now)) run.outcomes.keepCopy(outcome);
    judged.add(tie.copy.head.name);
  }
  return judged;
}

/** A buffer by its role, or one of whole numbers that no name gives away. */
function isBuffer({ name, role, dtype }: Tensor): boolean {
  return (role === 'buffer' || role === 'other') && isConstantBuffer(name, dtype);
}

/** Compares a buffer with what it is computed from; what was computed otherwise is not judged. */
async function sweepRecomputed(run: SweepRunner, tensor: Tensor, head: Opened): Promise<void> {
  if (!isBuffer(tensor) || tensor.aliasOf !== null) return;
  const otherwise = (elements: number) =>
    run.outcomes.coverage.unknown(
      'constant-buffers',
      elements,
      'the buffer is computed in another way',
    );
  const expected = await recomputed(tensor, head.source);
  if (expected === 'otherwise') otherwise(tensor.elements);
  if (expected === 'otherwise' || !expected) return;
  const found = { tensor, origin: 'head' } as const;
  const plan = planComparison('recomputed', { tensor: expected, origin: 'head' }, found);
  for (const outcome of await run.run(plan)) {
    const { different, compared } = outcome.record;
    if (isOtherwise(different, compared)) otherwise(compared);
    else run.outcomes.keepCopy(outcome);
  }
}

/** What a step writes that no optimizer's counter counts. */
const moveBetween: ReadonlySet<Role> = new Set(['buffer', 'gradient', 'step', 'average']);

function singleReason(
  ends: Ends,
  frozen: ReadonlySet<string>,
  { sameStep, sameTrainer }: PlanContext,
): 'same-step' | 'frozen' | 'constant' | null {
  if (!ends.head || !ends.base) return null;
  const { role } = ends.head;
  if (sameStep && role === 'other') return null;
  if (sameStep && (sameTrainer || !moveBetween.has(role))) return 'same-step';
  if (frozen.has(ends.head.name)) return 'frozen';
  return isBuffer(ends.head) ? 'constant' : null;
}

/** An average outside the units is one that no law can judge; two copies of one step are compared. */
function countLooseAverage(
  tensor: Tensor | null,
  names: ReadonlySet<string>,
  context: PlanContext,
) {
  if (tensor?.role !== 'average' || context.sameStep) return;
  const owned = tensor.parameter !== null && names.has(tensor.parameter);
  const reason = owned
    ? 'one of several averages of one parameter'
    : 'no optimizer holds the weights that it averages';
  context.coverage.unknown('replay-average', tensor.elements, context.pairRefusal ?? reason);
}

/** Tensors in no unit: summarised, and compared where something says what they must equal. */
export async function sweepSingles(
  run: SweepRunner,
  alignment: Alignment,
  context: PlanContext,
  ends: PairEnds,
): Promise<void> {
  const comparable = context.pairRefusal === null;
  const tied = comparable ? await sweepSeenTies(run, alignment, ends) : new Set<string>();
  const frozen = new Set(context.pair.head.frozen.filter((name) => !tied.has(name)));
  const owners = new Set(alignment.units.map(({ key }) => key));
  const reasonOf = (single: Ends) => singleReason(single, frozen, context);
  const plan = (single: Ends, own: PlanContext) => {
    countLooseAverage(single.head, owners, own);
    return planSingle(single, reasonOf(single), own);
  };
  await run.runAll(planGroups(alignment.singles, plan, context));
  for (const single of alignment.singles) {
    if (single.head && reasonOf(single) === null) {
      await sweepRecomputed(run, single.head, ends.head);
    }
  }
}

/** Ties that the file declares and stores twice. */
export async function sweepTies(run: SweepRunner, head: Checkpoint): Promise<void> {
  const tensors = new Map(head.tensors.map((tensor) => [tensor.name, tensor]));
  for (const [name, repeated] of head.tied) {
    const found = tensors.get(name);
    const expected = tensors.get(repeated);
    if (!found || !expected || found.aliasOf !== null || found.dtype !== expected.dtype) continue;
    const plan = planComparison(
      'tied',
      { tensor: expected, origin: 'head' },
      { tensor: found, origin: 'head' },
    );
    for (const outcome of await run.run(plan)) run.outcomes.keepCopy(outcome);
  }
}
