/** lone-giant: one element stands alone where there is no history to say that it always did. */
import type { Group, SuspicionText } from './suspicion.ts';

/**
 * Octaves between the largest and the second largest element from which a tensor without history is
 * told. Healthy maxima of 570,000 values: 2.7 in weights, 5.9 in first, 9.8 in second moments.
 */
export const loneGiantGap: Readonly<Record<Group, number>> = {
  weight: 8,
  first: 12,
  second: 20,
  buffer: Infinity,
};

/** Its text; it is judged in weigh-exact.ts, by `loneGiantGap`. */
export const loneGiant: SuspicionText = {
  id: 'lone-giant',
  title: 'One element stands alone in a tensor that was not seen before',
  family: 'statistics',
  statement:
    'log2 of the largest over the second largest |x| is 8 or more in weights, 12 in first ' +
    'moments, 20 in second moments, and no earlier checkpoint has this figure.',
  means: 'The tensor may have been damaged before Laika saw it first.',
  catches:
    'Exponent flips upward in the first checkpoint seen, and in tensors that were just unfrozen.',
  quiet:
    'It is never more than an info: large language models grow outlier channels, and none was ' +
    'measured. Once in the history, the gap is known.',
  needs: 'nothing',
  cost: 'none beside the summary',
};
