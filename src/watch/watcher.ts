/**
 * Follows run folders: sees each checkpoint complete, has it judged once against the last trusted
 * one of its run, records the verdict, and only then is it told. Never writes into a run folder.
 */
import type { LaikaError } from '../checkpoint/errors.ts';
import type { CheckpointRow } from '../history/checkpoint-log.ts';
import type { NewEvent } from '../history/event.ts';
import type { Candidate } from './candidate.ts';
import { Judging, type JudgingOptions } from './judging.ts';
import { listRun, messageOf } from './listing.ts';
import { RunState } from './run-state.ts';

/** What a watcher works with. */
export interface WatcherOptions extends JudgingOptions {
  readonly runs: readonly string[];
  /** How often it looks. */
  readonly intervalMs: number;
  /** How long a complete checkpoint must stand still; default 2 s. */
  readonly settleMs?: number;
  /** A run without a new checkpoint for so long has stalled; default: learned from its own pace. */
  readonly stalledAfterMs?: number;
  /** Events, and result documents of each run, that are kept; default 100,000 and 100. */
  readonly keep?: { readonly events: number; readonly results: number };
}

/** One line of `/readyz?verbose`. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
}

/** What `once` found. */
export interface OnceReport {
  /** All that are there and have a verdict, whether they were judged now or before. */
  readonly checkpoints: readonly CheckpointRow[];
  /** Paths of those that are there and not complete: being written, or torn. */
  readonly incomplete: readonly string[];
  /** Runs that could not be listed. */
  readonly failures: readonly LaikaError[];
}

/** `--interval 0` is no reason to burn a core. */
const pauseMsMin = 20;
const keepDefault = { events: 100_000, results: 100 };

/** Watches a fixed set of runs. */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #judging: Judging;
  readonly #states: readonly RunState[];
  readonly #settleMs: number;
  #storeFault: string | null = null;
  #looks = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#judging = new Judging(options);
    this.#settleMs = options.settleMs ?? 2000;
    const stalledAfterMs = options.stalledAfterMs ?? null;
    this.#states = options.runs.map(
      (run) => new RunState(run, { settleMs: this.#settleMs, stalledAfterMs }),
    );
  }

  /** Looks until `signal` aborts. A checkpoint in work is abandoned then, and judged next time. */
  async run(signal: AbortSignal): Promise<void> {
    this.#start();
    while (!signal.aborted) {
      await this.look(signal);
      if (!signal.aborted) await this.#options.clock.sleep(this.#pauseMs(), signal);
    }
  }

  /** One look at every run. Never throws: what fails is told, and tried again at the next look. */
  async look(signal: AbortSignal): Promise<void> {
    const { history, clock, keep } = this.#options;
    try {
      for (const state of this.#states) {
        if (signal.aborted) return;
        await listRun(state, this.#options);
        if (state.fault !== null) continue;
        const ready = state.settling.look(this.#sight(state), clock.elapsed());
        for (const candidate of ready) await this.#judging.judge(state, candidate, signal);
        this.#checkStall(state);
      }
      history.prune(keep ?? keepDefault);
      this.#storeFault = null;
    } catch (error) {
      this.#storeFault = messageOf(error);
      this.#options.log(`cannot record: ${this.#storeFault}`);
    }
    this.#looks += 1;
  }

  /**
   * Judges what is complete now, and reports on all that is there.
   * @throws when the history cannot be written: then nothing could be vouched for.
   */
  async once(signal: AbortSignal): Promise<OnceReport> {
    this.#start();
    const failures: LaikaError[] = [];
    for (const state of this.#states) {
      const failure = await listRun(state, this.#options);
      if (failure) failures.push(failure);
      if (state.fault !== null) continue;
      for (const candidate of this.#sight(state)) {
        if (candidate.complete) await this.#judgeNow(state, candidate, signal);
      }
    }
    this.#looks += 1;
    const there = this.#states.flatMap((state) => state.listing);
    return {
      checkpoints: this.#states.flatMap((state) => this.#known(state)),
      incomplete: there.filter(({ complete }) => !complete).map(({ path }) => path),
      failures,
    };
  }

  /** Health of the watch itself; a corrupt checkpoint is the run's, and changes nothing here. */
  health(): readonly HealthCheck[] {
    return [
      { name: 'store', ok: this.#storeFault === null },
      { name: 'watch', ok: this.#states.every((state) => state.fault === null) },
      { name: 'first-look', ok: this.#looks > 0 },
    ];
  }

  #start(): void {
    const { history, runs, version, intervalMs } = this.#options;
    const data = { version, runs, interval_seconds: intervalMs / 1000 };
    const type = 'dev.laika.watcher.started.v1';
    history.record({ events: [{ type, run: null, subject: null, severity: 'info', data }] });
  }

  /** Notes what is new and what is gone; returns the unjudged, oldest first. */
  #sight(state: RunState): Candidate[] {
    const { history, clock } = this.#options;
    const unjudged = state.listing.filter((one) => !history.isJudged(state.run, one.identity));
    const known = history.sightings(state.run);
    const fresh = unjudged.filter((one) => !known.has(one.path));
    const gone = [...known].filter((path) => !state.hasPath(path));
    history.forgetSightings(state.run, gone);
    for (const path of gone) state.forgetAttempts(path);
    if (fresh.length > 0) {
      const sightings = fresh.map(({ path }) => ({ run: state.run, path }));
      history.record({ sightings, events: fresh.map((one) => seenEvent(state.run, one)) });
    }
    state.stall.began(clock.elapsed());
    if (state.looks > 0 && fresh.length > 0) state.stall.arrived(clock.elapsed());
    state.looks += 1;
    return unjudged;
  }

  /** Retries until the checkpoint has a verdict, is gone, or `signal` aborts. */
  async #judgeNow(state: RunState, candidate: Candidate, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      await this.#judging.judge(state, candidate, signal);
      const retryAtMs = state.retryAtMs(candidate);
      if (retryAtMs === null || signal.aborted) return;
      await clock.sleep(Math.max(1, retryAtMs - clock.elapsed()), signal);
    }
  }

  #known(state: RunState): CheckpointRow[] {
    const { history } = this.#options;
    const rows = state.listing.map(({ identity }) => history.checkpoint(state.run, identity));
    return rows.filter((row) => row !== null);
  }

  #checkStall(state: RunState): void {
    const quietMs = state.stall.stalledFor(this.#options.clock.elapsed());
    if (quietMs === null) return;
    const last = this.#options.history.latest(state.run);
    const type = 'dev.laika.run.stalled.v1';
    const data = {
      ...(last ? { checkpoint: { path: last.path, step: last.step } } : {}),
      quiet_seconds: Math.round(quietMs / 1000),
    };
    const event = { type, run: state.run, subject: null, severity: 'warning', data } as const;
    this.#options.history.record({ events: [event] });
  }

  /** Sooner than the interval while something settles or waits for another try. */
  #pauseMs(): number {
    const isPending = this.#states.some((state) => state.settling.isPending || state.hasRetries);
    const { intervalMs } = this.#options;
    return Math.max(pauseMsMin, isPending ? Math.min(intervalMs, this.#settleMs + 10) : intervalMs);
  }
}

function seenEvent(run: string, { path, stepHint, complete }: Candidate): NewEvent {
  return {
    type: 'dev.laika.checkpoint.seen.v1',
    run,
    subject: path,
    severity: 'info',
    data: { checkpoint: { path, step: stepHint }, complete },
  };
}
