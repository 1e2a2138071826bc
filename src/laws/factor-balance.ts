/** factor-balance: the two factors of one factored second moment have one mean. */
import type { RecordLaw, Sides } from './law.ts';

/** A sequential float32 mean over 16,384 entries errs by this much at most; 1e-7 is what is seen. */
const meanError = 1e-3;

/** Sides for the means of the row and the column factor. */
export function factorBalanceSides(rowMean: number, columnMean: number): Sides {
  return {
    left: Math.abs(rowMean - columnMean),
    right: meanError * Math.max(rowMean, columnMean),
  };
}

export const factorBalance: RecordLaw = {
  id: 'factor-balance',
  scope: 'record',
  title: 'Row and column factors have one mean',
  family: 'reachability',
  statement:
    '|mean(row) − mean(column)| ≤ 1e-3 · max(mean(row), mean(column)) for each factored matrix.',
  derivation:
    'Adafactor averages the squared gradient along rows and along columns and mixes both with one decay: the ' +
    'mean over what is left is the mean of all squares in either factor, at every step.',
  needs: 'both factors of a matrix',
  cost: 'none beside the summaries',
  cannotSee: 'Changes of one factor below a thousandth of its mean, and changes of both alike.',
  advice: 'Go back to the last trusted checkpoint.',
};
