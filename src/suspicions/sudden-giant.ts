/** sudden-giant: one weight is far above all that its tensor holds, and held at the base. */
import { exactBits } from './budget.ts';
import type { Evidence } from './finding.ts';
import { isTested, type Subject } from './subject.ts';
import { octaves, type SuspicionText } from './suspicion.ts';

/**
 * Octaves from which on float32 keeps nothing of any other weight beside the giant in a sum. Nine times
 * the largest gap of 570,000 healthy values, and no trainer steps so far in one element alone.
 */
const octavesLeast = 24;

/** Its text; it needs no calibration. */
export const suddenGiant: SuspicionText = {
  id: 'sudden-giant',
  title: 'One weight jumped out of its tensor',
  family: 'statistics',
  statement:
    'One |w| is 2^24 times or more all others of its tensor, and all that the tensor held at the base.',
  means: 'A high exponent bit of the weight was flipped since the base.',
  catches:
    'Exponent flips upward in weights and averaged weights that no update law bounds: learning rate ' +
    'or optimizer unknown, averages, freed states.',
  quiet:
    'Healthy weights stand 2.7 octaves above the next one at most (570,000 values). Tensors that were ' +
    'all zero at the base, and those of fewer than 16 elements, are not judged.',
  needs: 'a base',
  cost: 'none beside the summary',
};

/** Is it a weight whose largest element can be compared with the base's? */
export function isComparable(subject: Subject): boolean {
  return subject.group === 'weight' && isTested(subject) && (subject.largestBefore ?? 0) > 0;
}

export function judgeSuddenGiant(subject: Subject): Evidence[] {
  const { name, record, largestBefore } = subject;
  if (!isComparable(subject)) return [];
  const gap = Math.log2(record.max1 / Math.max(record.max2, largestBefore ?? 0));
  if (!(gap >= octavesLeast && gap < Infinity)) return [];
  return [
    {
      ...{ rule: suddenGiant.id, line: null, tensor: name, bits: exactBits, net: exactBits },
      ...{ severity: 'warning', value: gap, reference: octavesLeast, lanes: [], planes: [] },
      element: record.max1Index,
      message:
        `one weight is ${record.max1.toPrecision(3)}, ${octaves(gap)} above all others of its tensor, ` +
        `of which none was more than ${(largestBefore ?? 0).toPrecision(3)} at the base`,
    },
  ];
}
