/**
 * update-size-break: a weight moved much more or much less than it used to, unlike its siblings.
 */
import { type Line, nowhere, octaves, type StatisticalRule } from './suspicion.ts';

const shared = { group: 'weight', kind: 'residual', alone: false, calm: false } as const;

const lines: readonly Line[] = [
  {
    ...{ id: 'weight.deltaMedian', statistic: 'deltaMedian', ceiling: 'deltaRms', ...shared },
    ...{ floor: 0.8, octavesPerBit: 0.3 },
  },
  { id: 'weight.deltaRms', statistic: 'deltaRms', ...shared, floor: 0.7, octavesPerBit: 0.35 },
];

/** Two-sided: a tensor that stopped moving counts as well. */
export const updateSizeBreak: StatisticalRule = {
  id: 'update-size-break',
  title: 'A weight moved much more or less than it used to, unlike its siblings',
  family: 'statistics',
  statement:
    'Median and root mean square of |Δ| in octaves, minus their median over the last 8 ' +
    'checkpoints and minus what all weights did; its distance from 0 against the largest of ' +
    'the last 12. The median counts as far as the root mean square went the same way.',
  means: 'What the tensor holds is not what it held plus its usual update.',
  catches:
    'Transposed, swapped, shifted, negated or reinterpreted tensors and shards; a layer whose ' +
    'learning rate is wrong (as info).',
  quiet:
    'Learning-rate changes, warmup, batch-size ramps, longer intervals and loss spikes move ' +
    'all weights, and the median of the group takes that out. Where most units die or wake, the ' +
    'median leaves and the root mean square stays.',
  needs: '8 earlier checkpoints at like distances, and the weights of the base',
  cost: 'none beside the pair pass',
  lines,
  locate: () => nowhere,
  explain: ({ line, value, reference }) => {
    const what = line.statistic === 'deltaMedian' ? 'median' : 'root mean square';
    return (
      `the ${what} change is 2^${value.toFixed(1)}; by its own past and by its siblings ` +
      `it should be near 2^${reference.toFixed(1)} (${octaves(Math.abs(value - reference))} off)`
    );
  },
};
