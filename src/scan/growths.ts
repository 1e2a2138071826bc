/** Second moments that stand alone, with the moments of that element at both ends: four reads each. */
import type { Alignment, Unit } from '../checkpoint/align.ts';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { lawValueAt } from '../engines/reference/decode.ts';
import { provesMoments } from '../laws/optimizer-kinds.ts';
import { stepsBetween } from '../laws/window.ts';
import type { SummaryRecord } from '../records/summary.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import { loneGiantGap } from '../suspicions/lone-giant.ts';
import type { Growth } from '../suspicions/unbacked-growth.ts';
import { lawContexts, type Pair } from './law-context.ts';
import type { ScanOptions } from './options.ts';
import type { Opened, PairEnds } from './scan.ts';

interface Moments {
  readonly mBase: Tensor;
  readonly mHead: Tensor;
  readonly vBase: Tensor;
  readonly vHead: Tensor;
}

function momentsOf({ first, second }: Unit): Moments | null {
  const found = [first.base, first.head, second.base, second.head];
  const [mBase, mHead, vBase, vHead] = found;
  if (!mBase || !mHead || !vBase || !vHead) return null;
  const isUsable = found.every(
    (each) =>
      each?.elements === vHead.elements &&
      (each.dtype === 'f32' || each.dtype === 'bf16') &&
      each.placement.kind !== 'absent',
  );
  return isUsable ? { mBase, mHead, vBase, vHead } : null;
}

function standsAlone({ max1, max2 }: SummaryRecord): boolean {
  return Number.isFinite(max1) && Math.log2(max1 / max2) >= loneGiantGap.second;
}

async function elementOf({ source }: Opened, tensor: Tensor, index: number): Promise<number> {
  const bytes = new Uint8Array(dtypeBits[tensor.dtype] / 8);
  await readTensorBytes(source, tensor, { first: index, count: 1, into: bytes });
  return lawValueAt(tensor.dtype, new DataView(bytes.buffer), 0);
}

/** By the name of the head's second moment. Only optimizers whose moments are of the same gradients. */
export async function findGrowths(
  { units }: Alignment,
  ends: PairEnds,
  about: {
    readonly pair: Pair;
    readonly options: ScanOptions;
    readonly summaries: ReadonlyMap<string, SummaryRecord>;
  },
): Promise<ReadonlyMap<string, Growth>> {
  const { head, base } = ends;
  const growths = new Map<string, Growth>();
  for (const unit of base ? units : []) {
    const moments = momentsOf(unit);
    const record = moments && about.summaries.get(moments.vHead.name);
    if (!base || !record || !standsAlone(record)) continue;
    const contexts = lawContexts(unit, about.pair, about.options);
    const context = typeof contexts === 'string' ? undefined : contexts[0];
    if (!context || provesMoments(context) !== null || !context.beta1 || !context.beta2) continue;
    const steps = stepsBetween(context);
    if (steps.kind === 'unknown') continue;
    const element = record.max1Index;
    growths.set(moments.vHead.name, {
      element,
      mBase: await elementOf(base, moments.mBase, element),
      mHead: await elementOf(head, moments.mHead, element),
      vBase: await elementOf(base, moments.vBase, element),
      vHead: await elementOf(head, moments.vHead, element),
      beta1: context.beta1,
      beta2: context.beta2,
      steps: steps.k,
    });
  }
  return growths;
}
