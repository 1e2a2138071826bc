/** isolated-value: one element left all others behind. */
import { knownIndex, type Line, octaves, type StatisticalRule } from './suspicion.ts';

const shared = { statistic: 'gap', kind: 'excess', alone: false, calm: true } as const;

const lines: readonly Line[] = [
  { id: 'weight.gap', group: 'weight', ...shared, floor: 0.2, octavesPerBit: 0.12 },
  { id: 'first.gap', group: 'first', ...shared, floor: 0.8, octavesPerBit: 0.4 },
  { id: 'second.gap', group: 'second', ...shared, floor: 0.5, octavesPerBit: 0.25 },
];

/** The rule for exponent flips upward. */
export const isolatedValue: StatisticalRule = {
  id: 'isolated-value',
  title: 'One element left all others behind',
  family: 'statistics',
  statement:
    'log2 of the largest over the second largest |x|, against the most that it was in the last ' +
    '12 checkpoints.',
  means:
    'A single element is far larger than anything else in its tensor, and it never was before.',
  catches:
    'An exponent bit flipped upward in a weight or a moment; one corrupt element of a gradient ' +
    '(2^8 times and more), which stays visible in the second moment for 1/(1 − β₂) steps.',
  quiet:
    'Outlier channels and LayerNorm gains (their gap is in the history), rows of rare tokens, ' +
    'loss spikes (all elements rise together).',
  needs: '4 earlier checkpoints; 8 nonzero elements',
  cost: 'none beside the summary',
  lines,
  locate: () => (record) => knownIndex(record.max1Index),
  explain: ({ value, reference }) =>
    `the largest value stands ${octaves(value)} above the second largest; ` +
    `it was never more than ${octaves(reference)} in the checkpoints before`,
};
