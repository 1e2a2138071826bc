/** What the watcher is handed: how to find checkpoints, and how to judge one. */
import type { Result } from '../verdict/result.ts';

/** A checkpoint in a run folder, as a listing shows it. */
export interface Candidate {
  readonly path: string;
  /** Step in its name; null where the name has none. */
  readonly stepHint: number | null;
  /** The layout's completion rule holds. */
  readonly complete: boolean;
  /** Changes when any of its files does. */
  readonly identity: string;
}

/**
 * The checkpoints of a run, oldest first: they are judged in this order.
 * @throws LaikaError when the run cannot be listed.
 */
export type Discover = (run: string) => Promise<readonly Candidate[]>;

/** One checkpoint to judge. */
export interface JudgeRequest {
  readonly run: string;
  readonly path: string;
  /** Path of the last trusted checkpoint that is still there; null where there is none. */
  readonly base: string | null;
  /** What is remembered of the run, as `onMemory` was last handed it; null at first. */
  readonly memory: string | null;
  /** Path of the run's checkpoint of that step, judged before and still there; else null. */
  readonly pathOfStep: (step: number) => string | null;
  /** Takes what the next checkpoint is to be judged with; stored with the verdict. */
  readonly onMemory: (memory: string) => void;
  readonly signal: AbortSignal;
}

/** @throws LaikaError when the checkpoint could not be judged. */
export type Judge = (request: JudgeRequest) => Promise<Result>;
