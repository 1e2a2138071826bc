/** `laika tail [URL]`: events of a running watcher as lines. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Clock } from '../history/clock.ts';
import { readToken, readWatchFile } from '../history/state-folder.ts';
import { type FollowOptions, followStream, type ReceivedEvent } from '../server/follow.ts';
import { systemClock } from '../watch/system-clock.ts';
import { eventLine } from './event-line.ts';

/** The command’s flags, read. */
export interface TailCommandOptions {
  /** Address of the stream; absent: the watcher that runs on the state folder. */
  readonly url?: string;
  /** Absent: the state folder's. */
  readonly token?: string;
  readonly stateDir: string;
  /** `<epoch>:<seq>`, `now` or `all`. */
  readonly since: string;
  readonly once: boolean;
  /** `ndjson`: each event as it came; `text`: a line for people. */
  readonly output: 'ndjson' | 'text';
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly clock?: Clock;
  readonly backoff?: FollowOptions['backoff'];
  /** Ends the command. */
  readonly signal?: AbortSignal;
}

/**
 * Resolves with 0 after the backlog (`once`) or a clean stop.
 * @throws LaikaError `connection-failed` when there is no watcher to follow, or it refuses.
 */
export async function tailCommand(options: TailCommandOptions): Promise<number> {
  const { url, stateDir, since, once, stdout, stderr, output, backoff } = options;
  if (url === undefined && !readWatchFile(stateDir)) throw nobodyAt(stateDir);
  await followStream({
    ...{ since, once },
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    address: () => {
      const found = url ?? readWatchFile(stateDir)?.url;
      if (found === undefined) return null;
      return { url: found, token: options.token ?? readToken(stateDir) };
    },
    onEvent: (event) => stdout(`${output === 'text' ? lineOf(event) : JSON.stringify(event)}\n`),
    onNotice: (line) => stderr(`${line}\n`),
    ...(backoff ? { backoff } : {}),
  });
  return 0;
}

function nobodyAt(stateDir: string): LaikaError {
  return new LaikaError({
    code: 'connection-failed',
    what: 'no watcher could be followed',
    where: stateDir,
    why: 'no watcher runs on this state folder',
    next: 'start `laika watch`, or name the state folder of one with --state-dir',
  });
}

function lineOf({ time, type, data }: ReceivedEvent): string {
  return eventLine({ time, type, data });
}
