/** Fills a summary's fields that follow from how often each code of a narrow type occurs. */
import type { SummaryRecord } from '../../records/summary.ts';
import { float32Bits } from '../float32-bits.ts';
import { smallestNormal, valuesOf } from '../narrow-types.ts';
import { squaresOfCounts, sumOfCounts, type ValueCounts } from '../value-counts.ts';

/** Everything but indices, lanes, blocks and digests. */
export function fillFromCounts(record: SummaryRecord, counted: ValueCounts): void {
  const { dtype, octaves } = record;
  const values = valuesOf(dtype);
  const normal = smallestNormal(dtype);
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < counted.codes.length; i++) {
    const value = values[counted.codes[i] as number] as number;
    const count = counted.counts[i] as number;
    if (count === 0) continue;
    if (!Number.isFinite(value)) {
      countNonFinite(record, value, count);
      continue;
    }
    const size = Math.abs(value);
    if (size === 0) record.zeros += count;
    else if (size < normal) record.denormals += count;
    if (value < least) least = value;
    if (value > most) most = value;
    const octave = (float32Bits(value) >>> 23) & 255;
    octaves[octave] = (octaves[octave] as number) + count;
    takeSize(record, size, count);
  }
  record.min = least === Infinity ? Number.NaN : least + 0;
  record.max = most === -Infinity ? Number.NaN : most + 0;
  record.sum = sumOfCounts(dtype, counted);
  record.sumSquares = squaresOfCounts(dtype, counted, 0);
}

function countNonFinite(record: SummaryRecord, value: number, count: number): void {
  if (Number.isNaN(value)) record.nan += count;
  else if (value > 0) record.positiveInfinity += count;
  else record.negativeInfinity += count;
}

/** The two largest sizes; one that occurs twice takes both places. */
function takeSize(record: SummaryRecord, size: number, count: number): void {
  if (size >= record.max1) {
    record.max2 = count > 1 ? size : record.max1;
    record.max1 = size;
  } else if (size > record.max2) {
    record.max2 = size;
  }
}
