/** lost-precision: trailing mantissa bits vanished from a whole tensor. */
import { type ExactRule, hasNoisyMantissa } from './exact-rule.ts';
import { hasNonFinite, nonZeroCount } from './exact-state.ts';

const leastElements = 8;

/** 8 nonzero elements × 3 planes are 24 fair bits that are all 0. */
const leastPlanes = 3;

/** A cast to a narrower type and back. */
export const lostPrecision: ExactRule = {
  id: 'lost-precision',
  title: 'Trailing mantissa bits vanished from a whole tensor',
  family: 'statistics',
  actInGroups: [],
  statement:
    'The trailing mantissa planes that are 0 in all nonzero elements grew by 3 or more since ' +
    'the last trusted checkpoint, the declared type unchanged.',
  means: 'The values went through a narrower type on the way.',
  catches: 'A float32 tensor saved or copied as bf16, fp16 or tf32 values.',
  quiet:
    'Initial constants (1.0) have all planes zero before, never suddenly after training. A ' +
    'change of the declared type starts a new history.',
  needs: 'the tensor one trusted checkpoint earlier; 8 nonzero elements',
  cost: 'none beside the summary',
  judge: ({ record, now, before }) => {
    const judged = nonZeroCount(record) >= leastElements && !hasNonFinite(record) && !now.blank;
    if (!judged || !hasNoisyMantissa(record.dtype)) return null;
    if (!(now.zeroPlanes - before.zeroPlanes >= leastPlanes)) return null;
    return {
      value: now.zeroPlanes,
      reference: before.zeroPlanes,
      message:
        `the lowest ${now.zeroPlanes} mantissa bits (of float32) are 0 in every element; ` +
        `in the checkpoint before, the lowest ${before.zeroPlanes} were`,
      lanes: [],
      planes: [],
    };
  },
};
