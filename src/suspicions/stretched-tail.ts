/** stretched-tail: a few elements left the rest. */
import { nowhere, octaves, type StatisticalRule } from './suspicion.ts';

/** Weights only: on moments it was wrong 4 times in 2,124 validations. */
export const stretchedTail: StatisticalRule = {
  id: 'stretched-tail',
  title: 'A few weights left the rest of their tensor',
  family: 'statistics',
  statement:
    'log2 of the largest |x| minus the 0.9 quantile of log2 |x|, against the most of the last ' +
    '12 checkpoints; the third largest such score among the weights is taken off.',
  means: 'Up to a tenth of a weight tensor is much larger than the rest, and only in this tensor.',
  catches:
    'Several exponent flips, a corrupt tile or row that hides from a rule about one element.',
  quiet:
    'Moments are not judged: when most ReLU units die, one sample drives a layer and its ' +
    'quantile collapses while the maximum stays.',
  needs: '4 earlier checkpoints; 5 weight tensors with a history',
  cost: 'none beside the summary',
  lines: [
    {
      id: 'weight.reach',
      group: 'weight',
      statistic: 'reach',
      kind: 'excess',
      alone: true,
      calm: true,
      floor: 0.3,
      octavesPerBit: 0.12,
    },
  ],
  locate: () => nowhere,
  explain: ({ value, reference }) =>
    `the largest value stands ${octaves(value)} above nine tenths of the tensor; ` +
    `it was never more than ${octaves(reference)} in the checkpoints before`,
};
