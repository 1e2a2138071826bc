/** unbacked-growth: a second moment grew by a gradient that the first moment knows nothing of. */
import { severityOf } from './budget.ts';
import type { Evidence } from './finding.ts';
import { octaves, type SuspicionText } from './suspicion.ts';

/** The moments of one element at base and head, `steps` ≥ 1 steps of Adam apart. */
export interface Growth {
  /** Flat index in the second moment. */
  readonly element: number;
  readonly mBase: number;
  readonly mHead: number;
  readonly vBase: number;
  readonly vHead: number;
  /** Smallest and largest value between the checkpoints. */
  readonly beta1: readonly [number, number];
  readonly beta2: readonly [number, number];
  readonly steps: number;
}

/** Below it a first moment may have been flushed to 0: the smallest normal float32. */
const smallestMoment = 2 ** -126;

/**
 * log2 of how many times smaller the first moment is than what one gradient alone must have left in
 * it: v gained at most Σ(1 − β₂)·g², so one g² of k is gained / (k·(1 − β₂)) or more, and its share
 * of m is (1 − β₁)·β₁^(k−1)·|g| or more. That many bits the other gradients must have cancelled. Not
 * a number where v did not grow.
 */
export function cancelledBits(growth: Growth): number {
  const { mBase, mHead, vBase, vHead, steps: k } = growth;
  const [beta2] = growth.beta2;
  const gradient = Math.sqrt((vHead - vBase) / (k * (1 - beta2)));
  // (1 − β)·β^(k−1) has no minimum inside an interval.
  const shares = growth.beta1.map((beta) => (1 - beta) * beta ** (k - 1));
  const inherited = Math.max(...growth.beta1) ** k * Math.abs(mBase);
  const left = Math.max(Math.abs(mHead) + inherited, smallestMoment);
  return Math.log2((Math.min(...shares) * gradient) / left);
}

export const unbackedGrowth: SuspicionText = {
  id: 'unbacked-growth',
  title: 'A second moment jumped, and its first moment did not',
  family: 'statistics',
  statement:
    'One second moment stands 20 octaves or more above the rest of its tensor and has grown since the ' +
    'base; one gradient that explains it would have left a first moment 2^b times the one that is there.',
  means: 'An exponent bit of the second moment was flipped upward: no gradients did that.',
  catches: 'Flips of the highest exponent bit in second moments, at any distance of the base.',
  quiet:
    'Gradients that cancel each other to b bits in one element are as rare as 2^-b; the tensors that ' +
    'were compared are allowed for, and at least 13.3 bits are asked of a warning.',
  needs: 'both moments at base and head, β₁, β₂ and the steps in between',
  cost: 'four elements of a tensor with such a value; nothing for the others',
};

/** @param tests second moments of this validation */
export function judgeGrowth(
  { name, growth }: { readonly name: string; readonly growth: Growth },
  tests: number,
): Evidence[] {
  const bits = cancelledBits(growth);
  const net = bits - Math.log2(Math.max(1, tests));
  const severity = severityOf(net);
  // An info says no more than lone-giant does.
  if (severity !== 'warning') return [];
  const { element, vBase, vHead, mHead } = growth;
  return [
    {
      rule: unbackedGrowth.id,
      line: null,
      tensor: name,
      ...{ bits, net, severity, value: bits, reference: 0, element, lanes: [], planes: [] },
      message:
        `the second moment grew from ${vBase.toPrecision(3)} to ${vHead.toPrecision(3)}; the gradient ` +
        `that explains it would have left a first moment ${octaves(bits)} above the ` +
        `${mHead.toPrecision(3)} that is there`,
    },
  ];
}
