/** A run folder without a disk: its checkpoints are what a test says, and so are their verdicts. */
import { onTestFinished } from 'vitest';
import type { StoredEvent } from '../../src/history/event.ts';
import { History } from '../../src/history/history.ts';
import type { Finding, Result, Verdict } from '../../src/verdict/result.ts';
import type { Candidate, JudgeRequest } from '../../src/watch/candidate.ts';
import { Watcher, type WatcherOptions } from '../../src/watch/watcher.ts';
import { tempFolder } from '../history/temp-folder.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';

export const run = '/runs/a';

export interface Bench {
  readonly clock: FakeClock;
  readonly folder: string;
  readonly watcher: Watcher;
  readonly history: History;
  /** What the next listing shows; throw from `fail` to make it fail. */
  candidates: Candidate[];
  fail: (() => never) | null;
  /** Answers of the judge by path; a function may throw. */
  readonly verdicts: Map<string, Verdict | ((request: JudgeRequest) => Result)>;
  /** Calls of the judge: `step-2 against step-1`. */
  readonly judged: string[];
  readonly logged: string[];
  /** Events so far without those of the watcher's start, as `type path`. */
  events(): string[];
  stored(): readonly StoredEvent[];
  look(): Promise<void>;
  /** Two looks, far enough apart for everything complete to settle. */
  settle(): Promise<void>;
}

export function candidate(step: number, more: Partial<Candidate> = {}): Candidate {
  const path = `${run}/step-${step}`;
  return { path, stepHint: step, complete: true, identity: `${path}#1`, ...more };
}

export function resultOf(verdict: Verdict, findings: readonly Finding[] = []): Result {
  return { schema: 'laika.result/1', laika: { version: '1', rules: 'x' }, verdict, findings };
}

export function finding(rule: string, more: Partial<Finding> = {}): Finding {
  return {
    ...{ rule, kind: 'law', certainty: 'confirmed', severity: 'critical', count: 1 },
    ...{ message: `${rule} is broken`, next: 'laika validate' },
    ...more,
  };
}

const shortName = (path: string | null): string => (path ?? 'nothing').replace(`${run}/`, '');

export function bench(
  options: Partial<WatcherOptions> & { readonly folder?: string; readonly clock?: FakeClock } = {},
): Bench {
  const clock = options.clock ?? fakeClock();
  const folder = options.folder ?? tempFolder();
  const history = History.open(folder, { clock });
  onTestFinished(() => history.close());
  const logged: string[] = [];
  const judged: string[] = [];
  const verdicts: Bench['verdicts'] = new Map();
  const watcher = new Watcher({
    ...{ history, clock, runs: [run], intervalMs: 5000, version: '1' },
    log: (line) => logged.push(line),
    discover: async () => {
      self.fail?.();
      return [...self.candidates];
    },
    judge: async (request) => {
      judged.push(`${shortName(request.path)} against ${shortName(request.base)}`);
      const answer = verdicts.get(request.path) ?? 'intact';
      return typeof answer === 'string' ? resultOf(answer) : answer(request);
    },
    ...options,
  });
  const { signal } = new AbortController();
  const self: Bench = {
    ...{ clock, folder, watcher, history, verdicts, judged, logged },
    candidates: [],
    fail: null,
    stored: () => history.eventsAfter(0, 10_000).events,
    events: () =>
      self
        .stored()
        .filter((event) => event.type !== 'dev.laika.watcher.started.v1')
        .map(({ type, subject }) => `${type.slice(10, -3)} ${shortName(subject)}`),
    look: () => watcher.look(signal),
    settle: async () => {
      await watcher.look(signal);
      clock.advance(2000);
      await watcher.look(signal);
    },
  };
  return self;
}
