/** isolated-update: one element changed far more than its tensor did. */
import { knownIndex, octaves, type StatisticalRule } from './suspicion.ts';

/** Sees what isolated-value cannot: a weight that shrank. */
export const isolatedUpdate: StatisticalRule = {
  id: 'isolated-update',
  title: 'One weight changed far more than its tensor did',
  family: 'statistics',
  statement:
    'log2 of the largest |Δ| over the root mean square of Δ, against the most of the last 12 ' +
    'checkpoints.',
  means: 'One weight made a step that the rest of its tensor did not make.',
  catches:
    'Exponent flips downward (the weight became about 0), sign flips, a single overwritten word.',
  quiet: 'Rare tokens, whose rows move seldom and far: that is in the history.',
  needs: '5 earlier checkpoints at like distances, and the weights of the base',
  cost: 'none beside the pair pass',
  lines: [
    {
      id: 'weight.deltaReach',
      group: 'weight',
      statistic: 'deltaReach',
      kind: 'excess',
      alone: false,
      calm: true,
      floor: 0.7,
      octavesPerBit: 0.2,
    },
  ],
  locate: () => (_record, pair) => pair && knownIndex(pair.deltaMax1Index),
  explain: ({ value, reference }) =>
    `the largest change stands ${octaves(value)} above the tensor's root mean square change; ` +
    `it was never more than ${octaves(reference)} in the checkpoints before`,
};
