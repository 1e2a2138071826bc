/** Every rule of this folder, in reading order. Ids are never reused. */
import type { ExactRule } from './exact-rule.ts';
import { isolatedUpdate } from './isolated-update.ts';
import { isolatedValue } from './isolated-value.ts';
import { loneGiant } from './lone-giant.ts';
import { lostPrecision } from './lost-precision.ts';
import { misalignedMoments } from './misaligned-moments.ts';
import { recurringSuspect } from './recurring.ts';
import { scaleBreak } from './scale-break.ts';
import { staleTensor } from './stale-tensor.ts';
import { stretchedTail } from './stretched-tail.ts';
import { stuckBitLane, stuckBitPlane } from './stuck-bits.ts';
import { suddenGiant } from './sudden-giant.ts';
import type { StatisticalRule, SuspicionText } from './suspicion.ts';
import { unbackedGrowth } from './unbacked-growth.ts';
import { unevenUpdate } from './uneven-update.ts';
import { updateSizeBreak } from './update-size-break.ts';
import { vanishedBlock, vanishedTensor } from './vanished.ts';
import { wholeRunMoved } from './whole-run-moved.ts';

/** Rules with calibrated lines. */
export const statisticalRules: readonly StatisticalRule[] = [
  isolatedValue,
  stretchedTail,
  isolatedUpdate,
  unevenUpdate,
  updateSizeBreak,
  scaleBreak,
  misalignedMoments,
];

/** `stale-tensor` compares tensors with each other and stands apart. */
export const exactRules: readonly ExactRule[] = [
  stuckBitLane,
  stuckBitPlane,
  lostPrecision,
  vanishedTensor,
  vanishedBlock,
];

/** What `laika rules` prints. */
export const suspicions: readonly SuspicionText[] = [
  ...statisticalRules,
  ...exactRules,
  staleTensor,
  loneGiant,
  suddenGiant,
  unbackedGrowth,
  wholeRunMoved,
  recurringSuspect,
];
