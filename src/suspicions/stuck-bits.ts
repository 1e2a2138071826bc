/**
 * stuck-bit-lane, stuck-bit-plane: a mantissa bit is the same in every element, and was not before.
 */
import {
  bitsOf,
  type ExactCase,
  type ExactHit,
  type ExactRule,
  hasNoisyMantissa,
} from './exact-rule.ts';
import { hasNonFinite, leastInLane } from './exact-state.ts';

/** More stuck planes than this in one lane are few-valued data, not a stuck bit. */
const mostPlanes = 4;

/**
 * Where nobody counted distinct values: more than this in one octave may be one value, many times.
 */
const mostInOctave = 15 / 16;

/** May the data hold so few values that a bit repeats by nature? */
function isFewValued({ record, varied }: ExactCase): boolean {
  if (varied !== null) return !varied;
  const counted = record.octaves.subarray(1);
  const total = counted.reduce((sum, count) => sum + count, 0);
  return counted.some((count) => count > mostInOctave * total);
}

/** Lanes with enough elements; none where the tensor cannot be judged. */
function judgedLanes(tensor: ExactCase): number[] {
  const { record } = tensor;
  if (hasNonFinite(record) || !hasNoisyMantissa(record.dtype) || isFewValued(tensor)) return [];
  const lanes = Array.from(record.laneCount.keys());
  // The leading bits of a subnormal are 0 by its size, and all of them may lie in one lane.
  const fair = (lane: number) => (record.laneCount[lane] as number) - record.denormals;
  return lanes.filter((lane) => fair(lane) >= leastInLane);
}

/** Planes that stick in all of these lanes. */
function common(stuck: readonly number[], lanes: readonly number[]): number {
  return lanes.reduce((mask, lane) => mask & (stuck[lane] ?? 0), 0xffffffff) >>> 0;
}

function judgeLanes(tensor: ExactCase): ExactHit | null {
  const { now, before } = tensor;
  const lanes = judgedLanes(tensor);
  const everywhere = common(now.stuck, lanes);
  const fresh = lanes
    .map((lane) => ({
      lane,
      planes: bitsOf((now.stuck[lane] as number) & ~everywhere & ~(before.stuck[lane] ?? 0)),
    }))
    .filter(({ planes }) => planes.length > 0 && planes.length <= mostPlanes);
  const first = fresh[0];
  if (!first) return null;
  return {
    value: fresh.length,
    reference: 0,
    message:
      `bit ${first.planes.join(', ')} is the same in all ${tensor.record.laneCount[first.lane]} ` +
      `elements of lane ${first.lane} (index mod 32)` +
      `${fresh.length > 1 ? `, and likewise in ${fresh.length - 1} more lanes` : ''}; ` +
      'it was not in the checkpoint before',
    lanes: fresh.map(({ lane }) => lane),
    planes: first.planes,
  };
}

function judgePlanes(tensor: ExactCase): ExactHit | null {
  const { now, before } = tensor;
  const lanes = judgedLanes(tensor);
  if (lanes.length === 0) return null;
  const stuck = common(now.stuck, lanes);
  if (stuck === 0 || (stuck & common(before.stuck, lanes)) !== 0) return null;
  const planes = bitsOf(stuck);
  return {
    value: planes.length,
    reference: 0,
    message:
      `bit ${planes.join(', ')} is the same in every element; ` +
      'it was not in the checkpoint before',
    lanes: [],
    planes,
  };
}

const shared = {
  family: 'statistics',
  actInGroups: [],
  quiet:
    'Few-valued data (initial constants, quantised values): a lane with more than 4 stuck ' +
    'planes is skipped, and a tensor of which half of the first 4,096 elements repeat. ' +
    'Trailing zero planes (bf16 and fp16 values). Subnormal moments of dead units, whose leading ' +
    'bits are 0 by their size: they do not count.',
  needs:
    'the tensor one trusted checkpoint earlier; 48 elements a lane that are neither 0 nor subnormal',
  cost: 'none beside the summary',
} as const;

/** One lane of 32. */
export const stuckBitLane: ExactRule = {
  ...shared,
  id: 'stuck-bit-lane',
  title: 'A mantissa bit is stuck in one of 32 lanes',
  statement:
    'In a lane (flat index mod 32) of 48 or more normal elements, a mantissa bit is the same ' +
    'in every element, not in all lanes, and was not at the last trusted checkpoint.',
  means:
    'Every 32nd element has the same bit: one wire, one lane of a vector unit or one memory bank.',
  catches:
    'Stuck bits of a bus, a SIMD lane or a DRAM column. 86–97 % of stuck mantissa bits are found.',
  judge: judgeLanes,
};

/** All lanes at once. */
export const stuckBitPlane: ExactRule = {
  ...shared,
  id: 'stuck-bit-plane',
  title: 'A mantissa bit is stuck in a whole tensor',
  statement:
    'A mantissa bit above the trailing zero planes is the same in every element, and was not ' +
    'at the last trusted checkpoint.',
  means: 'One bit of every element was forced to 0 or 1.',
  catches: 'Stuck bits that affect all lanes alike; wrong masks in conversion code.',
  judge: judgePlanes,
};
