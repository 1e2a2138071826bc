/** clip-bound for optimizers whose only state is one buffer: SGD with momentum, and Lion. */
import type { Unit } from '../checkpoint/align.ts';
import type { HyperValue } from '../checkpoint/optimizer.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Sides } from '../laws/law.ts';
import { momentumClipSides } from '../laws/ledger.ts';
import { nonFiniteCount, type SummaryRecord } from '../records/summary.ts';

export interface MomentumSums {
  readonly elements: number;
  /** A sentence where the bound cannot be judged. */
  readonly sides: Sides | string;
}

interface Buffer {
  readonly unit: Unit;
  readonly tensor: Tensor;
}

function between0And1(value: HyperValue | undefined): number | null {
  return typeof value === 'number' && value >= 0 && value < 1 ? value : null;
}

/** Share of itself that a step leaves of the buffer; a sentence where gradients are not what enters it. */
function keptBy({ head }: Unit): number | string {
  const hyper = head.group?.hyper ?? {};
  if (head.optimizer.kind === 'lion') {
    const betas = hyper.betas;
    return between0And1(Array.isArray(betas) ? betas[1] : undefined) ?? 'betas unknown';
  }
  if (hyper.weight_decay !== 0) return 'L2 decay is added to the gradient';
  const dampening = hyper.dampening;
  if (typeof dampening !== 'number' || dampening < 0 || dampening > 1) return 'dampening unknown';
  return between0And1(hyper.momentum) ?? 'momentum unknown';
}

function judge(
  buffers: readonly Buffer[],
  clip: number,
  summaries: ReadonlyMap<string, SummaryRecord>,
): Sides | string {
  let squares = 0;
  let most = 0;
  for (const { unit, tensor } of buffers) {
    if (tensor.dtype !== 'f32') return 'state is not float32';
    const kept = keptBy(unit);
    if (typeof kept === 'string') return kept;
    const record = summaries.get(tensor.name);
    if (!record || nonFiniteCount(record) > 0) return 'a buffer is missing or not finite';
    squares += record.sumSquares;
    most = Math.max(most, kept);
  }
  const adds = buffers[0]?.unit.head.optimizer.kind === 'lion' ? 'rest' : 'all';
  return momentumClipSides({ squares, clip, kept: most, adds });
}

/** One outcome for each of the two that the model has; a norm over some parameters is no larger than c. */
export function judgeMomentumClip(
  units: readonly Unit[],
  clip: number,
  summaries: ReadonlyMap<string, SummaryRecord>,
): MomentumSums[] {
  return (['sgd', 'lion'] as const).flatMap((kind) => {
    const buffers = units.flatMap((unit): Buffer[] => {
      const tensor = kind === 'lion' ? unit.first.head : unit.momentum.head;
      return unit.head.optimizer.kind === kind && tensor ? [{ unit, tensor }] : [];
    });
    if (buffers.length === 0) return [];
    const elements = buffers.reduce((sum, { tensor }) => sum + tensor.elements, 0);
    return [{ elements, sides: judge(buffers, clip, summaries) }];
  });
}
