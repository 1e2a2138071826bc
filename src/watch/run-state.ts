/** What the watcher knows of one run between two looks; all of it can be lost without harm. */
import type { Candidate } from './candidate.ts';
import { Settling } from './settling.ts';
import { StallDetector } from './stall.ts';

/** A checkpoint that changed while it was read: when to try again. */
interface Attempt {
  readonly count: number;
  readonly notBeforeMs: number;
}

/** After so many tries it is recorded as unverified. */
const attemptsMax = 5;

/** One run, as the watcher knows it. */
export class RunState {
  readonly run: string;
  readonly settling: Settling;
  readonly stall: StallDetector;
  readonly #settleMs: number;
  readonly #attempts = new Map<string, Attempt>();
  readonly #byPath = new Map<string, Candidate>();
  readonly #byIdentity = new Map<string, Candidate>();
  /** When the latest listing was made, in elapsed milliseconds. */
  listedAtMs = -Infinity;
  /** Why the run could not be listed; null while it can. */
  fault: string | null = null;
  looks = 0;

  constructor(run: string, options: { settleMs: number; stalledAfterMs: number | null }) {
    this.run = run;
    this.#settleMs = options.settleMs;
    this.settling = new Settling(options.settleMs);
    this.stall = new StallDetector(options.stalledAfterMs);
  }

  /** Takes a fresh listing, oldest first. */
  setListing(listing: readonly Candidate[], nowMs: number): void {
    this.#byPath.clear();
    this.#byIdentity.clear();
    for (const candidate of listing) {
      this.#byPath.set(candidate.path, candidate);
      this.#byIdentity.set(candidate.identity, candidate);
    }
    this.listedAtMs = nowMs;
    this.fault = null;
  }

  /** The latest listing, oldest first. */
  get listing(): readonly Candidate[] {
    return [...this.#byPath.values()];
  }

  hasPath(path: string): boolean {
    return this.#byPath.has(path);
  }

  /** The same content under the same path is still there. */
  has(candidate: Candidate): boolean {
    return this.#byPath.get(candidate.path)?.identity === candidate.identity;
  }

  /** Where this content lies now; null when it is gone. */
  pathOf(identity: string): string | null {
    return this.#byIdentity.get(identity)?.path ?? null;
  }

  /** Notes a failed try; false when there were enough of them. */
  tryLater(candidate: Candidate, nowMs: number): boolean {
    const count = (this.#attempts.get(candidate.path)?.count ?? 0) + 1;
    if (count >= attemptsMax) return false;
    const notBeforeMs = nowMs + this.#settleMs * 2 ** (count - 1);
    this.#attempts.set(candidate.path, { count, notBeforeMs });
    return true;
  }

  forgetAttempts(path: string): void {
    this.#attempts.delete(path);
  }

  /** Elapsed time before which `candidate` is left alone; null where it never failed. */
  retryAtMs(candidate: Candidate): number | null {
    return this.#attempts.get(candidate.path)?.notBeforeMs ?? null;
  }

  get hasRetries(): boolean {
    return this.#attempts.size > 0;
  }
}
