/** misaligned-moments: the first moment is large where the second is tiny. */
import { nowhere, octaves, type StatisticalRule } from './suspicion.ts';

/** The statistical fallback of the law moment-bound. */
export const misalignedMoments: StatisticalRule = {
  id: 'misaligned-moments',
  title: 'First and second moment no longer belong together',
  family: 'statistics',
  statement:
    'log2 of the mean of m²/v, minus its median over the last 8 checkpoints and minus what all ' +
    'first moments did; its distance from 0 against the largest of the last 12, less the third ' +
    'largest such score.',
  means: 'm² is large where v says that gradients were tiny.',
  catches: 'Second moments flipped downward; m or v transposed, swapped or copied from elsewhere.',
  quiet:
    'Where moment-bound can run it proves the same faults element by element; this rule is the ' +
    'fallback where the betas are unknown.',
  needs: '7 earlier checkpoints; both moments; 5 first moments with a history',
  cost: 'none beside the moments pass',
  lines: [
    {
      id: 'first.ratioMean',
      group: 'first',
      statistic: 'ratioMean',
      kind: 'residual',
      alone: true,
      calm: false,
      floor: 1.0,
      octavesPerBit: 0.6,
    },
  ],
  locate: () => nowhere,
  explain: ({ value, reference }) =>
    `the mean of m²/v is 2^${value.toFixed(1)}; by its own past and by its siblings ` +
    `it should be near 2^${reference.toFixed(1)} (${octaves(Math.abs(value - reference))} off)`,
};
