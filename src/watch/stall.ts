/**
 * Has a run stopped bringing checkpoints? Judged by its own pace, which nobody has to configure.
 */

/** Gaps remembered, and how many of them it takes to know a pace. */
const gapsKept = 8;
const gapsNeeded = 2;
/** Times the longest gap, and never sooner than this. */
const factor = 4;
const floorMs = 600_000;

/** The pace of one run. All times are elapsed milliseconds. */
export class StallDetector {
  readonly #afterMs: number | null;
  #lastMs: number | null = null;
  #gaps: number[] = [];
  #told = false;

  /** `afterMs`: a fixed limit; null learns it from arrivals. */
  constructor(afterMs: number | null) {
    this.#afterMs = afterMs;
  }

  /**
   * A checkpoint appeared while we watched. Those found at the first look say nothing of the pace.
   */
  arrived(nowMs: number): void {
    if (this.#lastMs !== null) this.#gaps = [...this.#gaps, nowMs - this.#lastMs].slice(-gapsKept);
    this.#lastMs = nowMs;
    this.#told = false;
  }

  /** Starts a fixed limit without an arrival. */
  began(nowMs: number): void {
    if (this.#afterMs !== null) this.#lastMs ??= nowMs;
  }

  /** Milliseconds without a checkpoint, once for each stall; else null. */
  stalledFor(nowMs: number): number | null {
    const limitMs = this.#afterMs ?? this.#learned();
    if (limitMs === null || this.#lastMs === null || this.#told) return null;
    const quietMs = nowMs - this.#lastMs;
    if (quietMs <= limitMs) return null;
    this.#told = true;
    return quietMs;
  }

  #learned(): number | null {
    if (this.#gaps.length < gapsNeeded) return null;
    return Math.max(floorMs, factor * Math.max(...this.#gaps));
  }
}
