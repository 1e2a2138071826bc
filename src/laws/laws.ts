/** Every law, in reading order. Ids are never reused. */
import { averageBetween } from './average-between.ts';
import { blockScale } from './block-scale.ts';
import { boundedUpdate } from './bounded-update.ts';
import { cappedUpdate } from './capped-update.ts';
import { factorBalance } from './factor-balance.ts';
import type { ElementLaw, Law, LineLaw } from './law.ts';
import { clipBound, gradientLedger } from './ledger.ts';
import { maximumDominates } from './maximum-dominates.ts';
import { momentBound } from './moment-bound.ts';
import { momentIncrement } from './moment-increment.ts';
import { noBlankLines } from './no-blank-lines.ts';
import { bitsAgree, constantBuffers, finiteValues, stepCounter } from './record-laws.ts';
import { noRepeatedPages } from './repeated-pages.ts';
import { replayAverage } from './replay-average.ts';
import { replayGradient } from './replay-gradient.ts';
import { replayMoments } from './replay-moments.ts';
import { replaySgd } from './replay-sgd.ts';
import { replayWeights } from './replay-weights.ts';
import { runningVariance } from './running-variance.ts';
import { secondMomentDecay } from './second-moment-decay.ts';
import { stateProgress } from './state-progress.ts';

export const laws: readonly Law[] = [
  finiteValues,
  stepCounter,
  runningVariance,
  blockScale,
  bitsAgree,
  constantBuffers,
  stateProgress,
  noBlankLines,
  noRepeatedPages,
  momentBound,
  momentIncrement,
  boundedUpdate,
  cappedUpdate,
  secondMomentDecay,
  maximumDominates,
  replayMoments,
  replayWeights,
  replayGradient,
  replaySgd,
  replayAverage,
  averageBetween,
  factorBalance,
  gradientLedger,
  clipBound,
];

/** A law that engines evaluate. Throws for an id that is none: only our own plans get here. */
export function sweptLaw(id: string): ElementLaw | LineLaw {
  const law = laws.find((each) => each.id === id);
  if (!law || law.scope === 'record') throw new Error(`no law named ${id} runs in a sweep`);
  return law;
}
