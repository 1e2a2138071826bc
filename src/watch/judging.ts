/** From one candidate to one recorded verdict: which base, what to do when the judge fails. */
import { alertId, observe } from '../alerts/alert.ts';
import { isLaikaError } from '../checkpoint/errors.ts';
import { timestamp } from '../history/clock.ts';
import { isAboutBase } from '../verdict/findings.ts';
import { type Damaged, withRecurring } from '../verdict/recurring.ts';
import type { Result } from '../verdict/result.ts';
import type { Candidate, Judge } from './candidate.ts';
import { degradedEvent, type ListingOptions, listRun, messageOf } from './listing.ts';
import type { RunState } from './run-state.ts';
import { alertEvent, severityOf, type TrustedPlace, verdictEvent } from './verdict-event.ts';

/** What judging works with. */
export interface JudgingOptions extends ListingOptions {
  readonly judge: Judge;
  readonly version: string;
}

type Outcome =
  | { readonly result: Result; readonly memory: string | null }
  | { readonly error: unknown };

/** The checkpoint that another one is judged against. */
interface Base {
  readonly path: string;
  readonly identity: string;
}

/** A listing older than this is made anew before a checkpoint in it is judged. */
const listingAgeMaxMs = 2000;

/** Damaged checkpoints before one that are looked back on. */
const damagedKept = 64;

/** Trusted checkpoints looked through for one that rotation has left. */
const basesTried = 64;

/** Judges the candidates of all runs, one at a time. */
export class Judging {
  readonly #options: JudgingOptions;

  constructor(options: JudgingOptions) {
    this.#options = options;
  }

  /**
   * Judges and records, unless the checkpoint is gone, has changed, or must wait for another try.
   */
  async judge(state: RunState, candidate: Candidate, signal: AbortSignal): Promise<void> {
    const { history, clock } = this.#options;
    const retryAtMs = state.retryAtMs(candidate) ?? -Infinity;
    if (signal.aborted || clock.elapsed() < retryAtMs) return;
    if (clock.elapsed() - state.listedAtMs > listingAgeMaxMs) await listRun(state, this.#options);
    if (!isThere(state, candidate)) return;
    // A second name of the same content (a hard link) was judged a moment ago.
    if (history.isJudged(state.run, candidate.identity)) return;
    const base = this.#baseOf(state, candidate);
    const outcome = await this.#ask(state, { candidate, base, signal });
    if ('result' in outcome && !isBad(outcome.result)) {
      this.#record(state, candidate, { ...outcome, base });
    } else if ('result' in outcome || !signal.aborted) {
      await this.#confirm(state, candidate, { outcome, base });
    }
  }

  async #ask(
    state: RunState,
    what: { candidate: Candidate; base: Base | null; signal: AbortSignal },
  ): Promise<Outcome> {
    const { candidate, signal } = what;
    const base = what.base?.path ?? null;
    try {
      const { path } = candidate;
      const { run } = state;
      let memory = this.#options.history.memory(run);
      const onMemory = (text: string): void => {
        memory = text;
      };
      const pathOfStep = (step: number): string | null => {
        const rows = this.#options.history.checkpoints(run).filter((row) => row.step === step);
        return rows.map((row) => state.pathOf(row.identity)).find((one) => one !== null) ?? null;
      };
      const asked = { run, path, base, memory, pathOfStep, onMemory, signal };
      const result = await this.#options.judge(asked);
      return { result: withRecurring(result, path, () => this.#damaged(run)), memory };
    } catch (error) {
      return { error };
    }
  }

  /**
   * A file rewritten under the judge reads as damage, and one that rotation removed as missing:
   * what is bad is recorded only when the same content is still there.
   */
  async #confirm(
    state: RunState,
    candidate: Candidate,
    what: { readonly outcome: Outcome; readonly base: Base | null },
  ): Promise<void> {
    const { outcome, base } = what;
    await listRun(state, this.#options);
    if (!isThere(state, candidate)) return;
    if ('result' in outcome) {
      this.#record(state, candidate, { ...outcome, base });
      return;
    }
    const { error } = outcome;
    const isBaseGone = base !== null && !state.hasPath(base.path);
    const isPassing = isLaikaError(error, 'changed-while-reading') || isBaseGone;
    if (isPassing && state.tryLater(candidate, this.#options.clock.elapsed())) return;
    this.#recordFailure(state, candidate, error);
  }

  #recordFailure(state: RunState, candidate: Candidate, error: unknown): void {
    const { history, log, version } = this.#options;
    const why = messageOf(error);
    if (!isLaikaError(error)) {
      log(`judge-failed: ${why}`);
      history.record({ events: [degradedEvent(state.run, 'judge-failed', why)] });
    }
    const what = 'the checkpoint could not be judged';
    const result: Result = {
      schema: 'laika.result/1',
      laika: { version, rules: '' },
      verdict: 'unverified',
      error: isLaikaError(error)
        ? error.details
        : { code: 'result-invalid', what, where: candidate.path, why },
    };
    this.#record(state, candidate, { result, memory: null, base: null });
  }

  /** What was found in the damaged checkpoints so far, oldest first. */
  #damaged(run: string): Damaged[] {
    const { history } = this.#options;
    const rows = history
      .checkpoints(run)
      .filter(({ verdict }) => verdict === 'corrupt' || verdict === 'suspect')
      .slice(-damagedKept);
    return rows.flatMap(({ path, identity }) => {
      const text = history.resultJson(run, identity);
      const stored = text === null ? null : (JSON.parse(text) as Result);
      return [{ checkpoint: path, findings: stored?.findings ?? [] }];
    });
  }

  /** The last trusted checkpoint before this one whose very content is still there. */
  #baseOf(state: RunState, candidate: Candidate): Base | null {
    const rows = this.#options.history.trusted(state.run, {
      before: candidate.stepHint,
      limit: basesTried,
    });
    for (const { identity } of rows) {
      const path = state.pathOf(identity);
      if (path !== null) return { path, identity };
    }
    return null;
  }

  /** A base whose own files turned out to be damaged is trusted no more. */
  #revoke(run: string, base: Base | null, { findings = [] }: Result): void {
    const fault = base && findings.find(isAboutBase);
    if (fault) this.#options.history.revoke(run, base.identity, fault.rule);
  }

  #record(
    state: RunState,
    candidate: Candidate,
    judged: {
      readonly result: Result;
      readonly memory: string | null;
      readonly base: Base | null;
    },
  ): void {
    const { history, clock } = this.#options;
    const { run } = state;
    const { result, memory, base } = judged;
    this.#revoke(run, base, result);
    const { path, identity, stepHint } = candidate;
    const step = result.checkpoint?.step ?? stepHint;
    const verdict = result.verdict ?? 'unverified';
    const trusted = verdict === 'intact' || verdict === 'unremarkable';
    const time = timestamp(clock);
    const rules = (result.findings ?? []).map((finding) => finding.rule);
    const severity = severityOf(result);
    const seen = {
      run,
      verdict,
      severity,
      checkpoint: { path, step },
      hasBase: base !== null,
      rules,
      time,
    };
    const change = observe(history.alert(alertId(run)), seen);
    const trustedPlace = result.trusted ?? (trusted ? { checkpoint: path, step } : this.#last(run));
    const told = verdictEvent({ run, path, step }, result, trustedPlace);
    const why = { result, trusted: trustedPlace };
    const position = stepHint ?? step;
    const seenAt = history.seenAt(run, path) ?? time;
    history.record({
      checkpoint: { run, path, identity, step, position, verdict, trusted, seenAt, result },
      ...(change ? { alert: change.alert } : {}),
      ...(memory === null ? {} : { memory: { run, text: memory } }),
      events: change ? [told, alertEvent(change.alert, change.change, why)] : [told],
    });
    state.forgetAttempts(path);
  }

  #last(run: string): TrustedPlace | null {
    const row = this.#options.history.lastTrusted(run);
    return row ? { checkpoint: row.path, step: row.step } : null;
  }
}

/** Vanished or overwritten: rotation, not corruption, and no reason to try again. */
function isThere(state: RunState, candidate: Candidate): boolean {
  const isListed = state.fault === null && state.has(candidate);
  if (!isListed) state.forgetAttempts(candidate.path);
  return isListed;
}

function isBad(result: Result): boolean {
  return result.verdict === 'corrupt' || result.verdict === 'suspect';
}
