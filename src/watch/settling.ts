/**
 * Is a complete checkpoint done being written? Layouts that are written under their final name
 * look complete before they are: only an identity that stood still says so.
 */
import type { Candidate } from './candidate.ts';

interface Sight {
  readonly identity: string;
  readonly sinceMs: number;
  /** When the path was first complete, whatever its identity was then. */
  readonly completeSinceMs: number;
}

/** A checkpoint that keeps changing holds up later ones no longer than this. */
const patienceMs = 60_000;

/** The complete, unjudged checkpoints of one run, between looks. */
export class Settling {
  readonly #settleMs: number;
  readonly #sights = new Map<string, Sight>();
  /** After a look: something complete was not ready, so the next look should be soon. */
  isPending = false;

  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  /**
   * Takes one look, made at `nowMs`, at the unjudged checkpoints of a run, oldest first. Returns
   * those that may be judged now: no checkpoint overtakes a complete one that still settles.
   */
  look(candidates: readonly Candidate[], nowMs: number): Candidate[] {
    const present = new Set(candidates.map((candidate) => candidate.path));
    for (const path of this.#sights.keys()) if (!present.has(path)) this.#sights.delete(path);
    const ready: Candidate[] = [];
    let isHeldUp = false;
    this.isPending = false;
    for (const candidate of candidates) {
      if (!candidate.complete) {
        this.#sights.delete(candidate.path);
        continue;
      }
      const sight = this.#see(candidate, nowMs);
      const isSettled = nowMs - sight.sinceMs >= this.#settleMs;
      if (isSettled && !isHeldUp) ready.push(candidate);
      else this.isPending = true;
      if (!isSettled && nowMs - sight.completeSinceMs < patienceMs) isHeldUp = true;
    }
    return ready;
  }

  #see(candidate: Candidate, nowMs: number): Sight {
    const known = this.#sights.get(candidate.path);
    if (known?.identity === candidate.identity) return known;
    const completeSinceMs = known?.completeSinceMs ?? nowMs;
    const sight = { identity: candidate.identity, sinceMs: nowMs, completeSinceMs };
    this.#sights.set(candidate.path, sight);
    return sight;
  }
}
