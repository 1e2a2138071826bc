/** Lanes of the rows that a model joined, and of elements that no model saw. */
import type { SummaryRecord } from '../../records/summary.ts';
import type { Outputs } from './device.ts';
import { realsOf } from './device-stream.ts';

/** Adds what the model returned for whole rows. */
export function addLanes(record: SummaryRecord, { or, and, counted }: Outputs): void {
  const { laneOr, laneAnd, laneCount } = record;
  const lanes = laneCount.length;
  if (!or || !and) throw new Error('the model returned no lanes');
  for (let i = 0; i < or.length; i++) {
    const lane = i % lanes;
    laneOr[lane] = (laneOr[lane] as number) | (or[i] as number);
    laneAnd[lane] = (laneAnd[lane] as number) & (and[i] as number);
  }
  for (const [lane, count] of realsOf(counted).entries()) {
    laneCount[lane] = (laneCount[lane] as number) + count;
  }
}

/** Adds one finite element that is not zero: the bits of its float32 value. */
export function addToLane(record: SummaryRecord, index: number, bits: number): void {
  const { laneOr, laneAnd, laneCount } = record;
  const lane = index % laneCount.length;
  laneOr[lane] = (laneOr[lane] as number) | bits;
  laneAnd[lane] = (laneAnd[lane] as number) & bits;
  laneCount[lane] = (laneCount[lane] as number) + 1;
}
