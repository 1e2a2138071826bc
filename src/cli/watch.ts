/** `laika watch RUN...`: follow run folders, judge each checkpoint, serve what was found. */
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve, sep } from 'node:path';
import { LaikaError } from '../checkpoint/errors.ts';
import type { CheckpointRow } from '../history/checkpoint-log.ts';
import { type Clock, timestamp } from '../history/clock.ts';
import { cloudEventJson, type StoredEvent } from '../history/event.ts';
import { History } from '../history/history.ts';
import { ensureToken, removeWatchFile, writeWatchFile } from '../history/state-folder.ts';
import { version } from '../package.ts';
import type { ListenAt } from '../server/listen.ts';
import { startServer } from '../server/server.ts';
import { absolutePath } from '../sources/source-path.ts';
import type { Result } from '../verdict/result.ts';
import type { Discover, Judge } from '../watch/candidate.ts';
import { systemClock } from '../watch/system-clock.ts';
import { type OnceReport, Watcher } from '../watch/watcher.ts';
import { eventLine } from './event-line.ts';
import { type ExitPolicy, exitCode, unmetDemands } from './exit-code.ts';
import { listenForStop } from './stop-signals.ts';

/** The command’s flags, read, and what it works with. */
export interface WatchCommandOptions {
  /** Folders (or URLs of prefixes) as they were given. */
  readonly runs: readonly string[];
  readonly intervalSeconds: number;
  readonly once: boolean;
  /** `HOST:PORT`; absent with `socket`: only the socket, absent without: 127.0.0.1:7474. */
  readonly listen?: string;
  /** Path of a Unix socket. */
  readonly socket?: string;
  readonly stateDir: string;
  readonly policy: ExitPolicy;
  readonly discover: Discover;
  readonly judge: Judge;
  /** `text`: one line a verdict; `ndjson`: every event as it is stored. */
  readonly output?: 'text' | 'ndjson';
  /** How long a complete checkpoint must stand still; default 2. NFS may need 60. */
  readonly settleSeconds?: number;
  readonly stalledAfterSeconds?: number;
  readonly clock?: Clock;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Ends the command; without it SIGTERM and SIGINT do. */
  readonly signal?: AbortSignal;
}

/** How long a judge may take to notice that it should stop; then it is left behind. */
const patienceMs = 2000;

/**
 * Resolves with the exit code: 0 after a clean stop; with `once` that of the worst checkpoint, and
 * 128 + n where a signal ended it before it had looked at all.
 * @throws LaikaError `state-locked`, `state-invalid`, `connection-failed`, `arguments-invalid`
 */
export async function watchCommand(options: WatchCommandOptions): Promise<number> {
  const runs = [...new Set(options.runs.map(absolutePath))];
  checkFolders(runs);
  const stateDir = resolve(options.stateDir);
  checkApart(runs, stateDir);
  const at = listenAt(options);
  const clock = options.clock ?? systemClock;
  const history = History.open(stateDir, { clock });
  const stop = options.signal ? null : listenForStop();
  const signal = options.signal ?? stop?.signal ?? new AbortController().signal;
  const forget = history.onRecorded((events) => print(events, history, options));
  const { settleSeconds = 2, stalledAfterSeconds } = options;
  const watcher = new Watcher({
    ...{ history, runs, clock, version },
    discover: options.discover,
    judge: options.judge,
    intervalMs: options.intervalSeconds * 1000,
    settleMs: settleSeconds * 1000,
    ...(stalledAfterSeconds === undefined ? {} : { stalledAfterMs: stalledAfterSeconds * 1000 }),
    log: (line) => options.stderr(`${line}\n`),
  });
  try {
    if (options.once) {
      const startedAt = timestamp(clock);
      const report = await watcher.once(signal);
      // What it did not come to could be the damaged one.
      if (signal.aborted) return stop?.exitCode() ?? 130;
      return onceExitCode(report, { history, startedAt, options });
    }
    return await serveAndWatch({ options, history, watcher, runs, at, clock, signal });
  } finally {
    forget();
    stop?.forget();
    history.close();
  }
}

async function serveAndWatch(parts: {
  readonly options: WatchCommandOptions;
  readonly history: History;
  readonly watcher: Watcher;
  readonly runs: readonly string[];
  readonly at: ListenAt;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<number> {
  const { options, history, watcher, runs, at, clock, signal } = parts;
  const log = (line: string): void => options.stderr(`${line}\n`);
  const server = await startServer({
    ...{ history, runs, clock, version, log },
    token: ensureToken(history.folder),
    host: hostname(),
    listen: at,
    health: () => watcher.health(),
  });
  try {
    const startedAt = timestamp(clock);
    writeWatchFile(history.folder, { url: server.url, pid: process.pid, runs, startedAt });
    log(`watching ${runs.join(', ')}`);
    log(`events: ${server.url} (token in ${history.folder}${sep}token)`);
    const ended = new AbortController();
    const watching = watcher.run(signal).finally(() => ended.abort());
    const patience = aborted(signal).then(() => clock.sleep(patienceMs, ended.signal));
    await Promise.race([watching, patience]);
  } finally {
    removeWatchFile(history.folder);
    await server.close();
  }
  log('stopped');
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done(), { once: true });
  });
}

function print(
  events: readonly StoredEvent[],
  history: History,
  { output, stdout, stderr }: WatchCommandOptions,
): void {
  for (const event of events) {
    if (output === 'ndjson') {
      stdout(`${cloudEventJson(event, { epoch: history.epoch, host: hostname() })}\n`);
      continue;
    }
    const { time, type } = event;
    const line = (): string => `${eventLine({ time, type, data: JSON.parse(event.data) })}\n`;
    if (type === 'dev.laika.checkpoint.verdict.v1') stdout(line());
    else if (type === 'dev.laika.run.stalled.v1') stderr(line());
  }
}

/** The worst of all that are there: a second look at the same folder ends like the first. */
function onceExitCode(
  report: OnceReport,
  from: { history: History; startedAt: string; options: WatchCommandOptions },
): number {
  const { history, startedAt, options } = from;
  const codes = report.failures.map((failure) => {
    options.stderr(`${failure.message}\n`);
    return 2;
  });
  for (const path of report.incomplete) options.stderr(`not complete, not judged: ${path}\n`);
  for (const row of report.checkpoints) {
    const result = resultOf(history, row);
    codes.push(exitCode(result, options.policy));
    for (const demand of unmetDemands(result, options.policy)) {
      options.stderr(`${row.path}: ${demand}\n`);
    }
    if (row.judgedAt >= startedAt || options.output === 'ndjson') continue;
    const { path, step, verdict, judgedAt: time } = row;
    const data = { checkpoint: { path, step }, verdict, detail: 'judged before' };
    options.stdout(`${eventLine({ time, type: 'dev.laika.checkpoint.verdict.v1', data })}\n`);
  }
  if (codes.length === 0) options.stderr(`no complete checkpoint in ${options.runs.join(', ')}\n`);
  // 1 wins over 2, 2 over 0, and 3 says that nothing at all was checked.
  return [1, 2, 0].find((code) => codes.includes(code)) ?? 3;
}

function resultOf(history: History, row: CheckpointRow): Result {
  const json = history.resultJson(row.run, row.identity);
  if (json !== null) return JSON.parse(json) as Result;
  return { schema: 'laika.result/1', laika: { version, rules: '' }, verdict: row.verdict };
}

function listenAt({ listen, socket }: WatchCommandOptions): ListenAt {
  if (listen !== undefined && socket !== undefined) {
    throw new LaikaError({
      code: 'arguments-invalid',
      what: 'a watcher answers at one place',
      where: `--listen ${listen} --socket ${socket}`,
      next: 'give one of the two',
    });
  }
  if (socket !== undefined) return { socket: resolve(socket) };
  const text = listen ?? '127.0.0.1:7474';
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'this is no address to listen on',
    where: `--listen ${text}`,
    next: 'give HOST:PORT, such as 127.0.0.1:7474; port 0 takes a free one',
  });
}

/** A folder may be made later; a file never becomes one. */
function checkFolders(runs: readonly string[]): void {
  const file = runs.find((run) => {
    try {
      return statSync(run, { throwIfNoEntry: false })?.isFile();
    } catch {
      // The first look tells why it cannot be read.
      return false;
    }
  });
  if (file === undefined) return;
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'a watcher follows folders',
    where: file,
    why: 'it is a file',
    next: 'name the folder it lies in; `laika validate FILE` judges it alone',
  });
}

/** The watched folder is never written to. */
function checkApart(runs: readonly string[], stateDir: string): void {
  const run = runs.find((one) => stateDir === one || stateDir.startsWith(`${one}${sep}`));
  if (run === undefined) return;
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'the state folder lies in the run that is watched',
    where: stateDir,
    why: `${run} is never written to`,
    next: 'give another --state-dir',
  });
}
