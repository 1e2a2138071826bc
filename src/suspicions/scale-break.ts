/** scale-break: the scale or the maximum of a tensor jumped while its siblings' did not. */
import { knownIndex, type Line, nowhere, octaves, type StatisticalRule } from './suspicion.ts';

const shared = { kind: 'residual', alone: true, calm: false } as const;

const lines: readonly Line[] = [
  {
    id: 'weight.rms',
    group: 'weight',
    statistic: 'rms',
    ...shared,
    floor: 0.1,
    octavesPerBit: 0.08,
  },
  {
    id: 'weight.top',
    group: 'weight',
    statistic: 'top',
    ...shared,
    floor: 0.2,
    octavesPerBit: 0.12,
  },
  { id: 'first.rms', group: 'first', statistic: 'rms', ...shared, floor: 0.5, octavesPerBit: 0.4 },
  {
    id: 'second.rms',
    group: 'second',
    statistic: 'rms',
    ...shared,
    floor: 0.4,
    octavesPerBit: 0.25,
  },
];

/** Two-sided: a tensor may shrink as well. */
export const scaleBreak: StatisticalRule = {
  id: 'scale-break',
  title: 'The scale of a tensor jumped, and its siblings did not',
  family: 'statistics',
  statement:
    'Root mean square and largest |x| in octaves, minus their median over the last 8 ' +
    'checkpoints and minus what the whole group did; its distance from 0 against the largest ' +
    'of the last 12, less the third largest such score of the group.',
  means: 'The tensor as a whole, or its largest element, changed by a factor.',
  catches:
    'Wrong scale factors, the state of one tensor reset, stuck exponent bits, swapped tensors.',
  quiet: 'Anything that all tensors of the group do at once: warmup, bad batches, decay.',
  needs: '7 earlier checkpoints; 5 tensors of the group with a history',
  cost: 'none beside the summary',
  lines,
  locate:
    ({ statistic }) =>
    (record) =>
      statistic === 'top' ? knownIndex(record.max1Index) : nowhere(record, null, 0),
  explain: ({ line, value, reference }) => {
    const what = line.statistic === 'top' ? 'largest value' : 'root mean square';
    return (
      `the ${what} is 2^${value.toFixed(2)}; by its own past and by its siblings ` +
      `it should be near 2^${reference.toFixed(2)} (${octaves(Math.abs(value - reference))} off)`
    );
  },
};
