// Everything that the host may call. src/engines/wasm/kernels.ts has the same list with types.
export {
  compare8,
  compare16,
  compare32,
  compare64,
  compare128,
  compareBfloat16,
  compareFloat16,
} from './compare';
export { digest } from './digest';
export { boundedUpdate, boundedUpdateFloat32 } from './law-bounded-update';
export { cappedUpdate } from './law-capped-update';
export { maximumDominates } from './law-maximum-dominates';
export { momentBound, momentBoundFloat32 } from './law-moment-bound';
export { momentIncrement, momentIncrementFloat32 } from './law-moment-increment';
export { noBlankLines, noBlankLinesFloat32 } from './law-no-blank-lines';
export { replayMoments } from './law-replay-moments';
export { replayWeights } from './law-replay-weights';
export { secondMomentDecay } from './law-second-moment-decay';
export { isFiniteFloat32, stateProgress, stateProgressFloat32 } from './law-state-progress';
export { gainBlock, gainFloat32, ratioBlock, ratioFloat32 } from './moments';
export { countDeltas, moveBlock, moveFloat32, sumRows } from './movement';
export { markNonFinite, tally } from './ratio';
export {
  squaresFloat32,
  squaresFloat64,
  squaresInt32,
  squaresInt64,
  squaresUint32,
  squaresUint64,
} from './squares';
export { addTables, countBytes, unpackNibbles, zeroBlocks } from './summary-byte';
export { summariseComplex32, summariseComplex64, summariseComplex128 } from './summary-complex';
export { summariseFloat32 } from './summary-float32';
export {
  countHalf,
  scanBfloat16,
  scanFloat16,
  scanInt16,
  scanUint16,
  takeCounts,
} from './summary-half';
export {
  summariseFloat64,
  summariseInt32,
  summariseInt64,
  summariseUint32,
  summariseUint64,
} from './summary-scalar';
export { widenBfloat16, widenFloat16, widenFloat32, widenFloat64 } from './widen';
