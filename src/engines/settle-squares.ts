/** When Σx and Σx² of one sweep do not give the deviation, and what is measured instead. */
import { finiteCount, type SummaryRecord } from '../records/summary.ts';

/** Σ(x · scale − centre)² over the finite elements, in the order of every other sum. */
export type MeasureSquares = (scale: number, centre: number) => Promise<number>;

/** Above this share of Σx², (Σx)²/n cancels too many digits of the difference. */
const cancelling = 0.99;

/** Below this, squares of float64 values have lost digits to underflow. */
const leastSquares = 2 ** -900;

const real = new Float64Array(1);
const words = new Uint32Array(real.buffer);

/** The power of two that brings |x| = `largest` to [1, 2), or as near as 2^±1000 can. */
function scaleFor(largest: number): number {
  real[0] = largest;
  const exponent = (((words[1] as number) >>> 20) & 0x7ff) - 1023;
  return 2 ** Math.max(-1000, Math.min(1000, -exponent));
}

/** Measures the squares again where the first sweep could not, and fills the record's fields. */
export async function settleSquares(record: SummaryRecord, measure: MeasureSquares): Promise<void> {
  const outOfRange = !Number.isFinite(record.sumSquares) || record.sumSquares < leastSquares;
  if (record.dtype === 'f64' && record.max1 > 0 && outOfRange) {
    record.squareScale = scaleFor(record.max1);
    record.sumSquares = await measure(record.squareScale, 0);
  }
  const n = finiteCount(record);
  const sum = record.sum * record.squareScale;
  if (!Number.isFinite(sum / n) || !((sum * sum) / n > cancelling * record.sumSquares)) return;
  record.centredSquares = n === 1 ? 0 : await measure(record.squareScale, sum / n);
}
