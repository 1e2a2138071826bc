/** What each address answers. Reading only: nothing here changes anything. */
import type { History } from '../history/history.ts';
import { encodeJson } from '../records/numbers.ts';
import type { HealthCheck } from '../watch/watcher.ts';
import { cursorText, startOf } from './cursor.ts';
import type { EventText } from './event-text.ts';
import type { Problem } from './problem.ts';

/** What answers are made from. */
export interface RouteContext {
  readonly history: History;
  readonly runs: readonly string[];
  readonly events: EventText;
  readonly health: () => readonly HealthCheck[];
  /** The watcher is on its way out. */
  readonly isStopping: () => boolean;
}

/** An answer, ready to be sent. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const pageDefault = 100;
const pageMax = 1000;

/** Addresses that need no token: machines ask them, and they reveal nothing. */
export const openPaths: ReadonlySet<string> = new Set(['/livez', '/readyz']);

/** Answers a request for `url`; the stream's own addresses are not here. */
export function answer(url: URL, context: RouteContext): Answer | Problem {
  switch (url.pathname) {
    case '/livez':
      return { status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' };
    case '/readyz':
      return ready(url, context);
    case '/v1/state':
      return json(state(context));
    case '/v1/events':
      return page(url, context);
    case '/v1/stream':
      return { code: 'upgrade-required', detail: 'connect with a WebSocket client' };
    default:
      return { code: 'not-found', detail: 'see /v1/state, /v1/events, /v1/stream' };
  }
}

function ready(url: URL, { health, isStopping }: RouteContext): Answer {
  const checks = [...health(), { name: 'not-stopping', ok: !isStopping() }];
  const isReady = checks.every((check) => check.ok);
  const lines = checks.map(
    ({ name, ok }) => `[${ok ? '+' : '-'}]${name} ${ok ? 'ok' : 'failed'}\n`,
  );
  const body = url.searchParams.has('verbose') ? lines.join('') : isReady ? 'ok\n' : 'not ready\n';
  return { status: isReady ? 200 : 503, type: 'text/plain; charset=utf-8', body };
}

/** The present, and the place in the log at which it is true. */
function state({ history, runs }: RouteContext): string {
  const seq = history.headSeq;
  const known = [...new Set([...runs, ...history.runs])];
  return encodeJson({
    epoch: history.epoch,
    seq: String(seq),
    cursor: cursorText(history, seq),
    alerts: history.activeAlerts(),
    runs: known.map((run) => {
      const latest = history.latest(run);
      const trusted = history.lastTrusted(run);
      return {
        run,
        watched: runs.includes(run),
        latest: latest && {
          checkpoint: { path: latest.path, step: latest.step },
          verdict: latest.verdict,
          judged_at: latest.judgedAt,
        },
        trusted: trusted && { checkpoint: trusted.path, step: trusted.step },
      };
    }),
  });
}

function page(url: URL, { history, events }: RouteContext): Answer | Problem {
  const limit = Number(url.searchParams.get('limit') ?? pageDefault);
  if (!Number.isInteger(limit) || limit < 1 || limit > pageMax) {
    return { code: 'limit-invalid', detail: `limit is a number from 1 to ${pageMax}` };
  }
  const start = startOf(history, url.searchParams.get('since') ?? 'all');
  if (!start) return { code: 'since-invalid', detail: 'since is "<epoch>:<seq>", "now" or "all"' };
  const read = history.eventsAfter(start.seq, limit);
  const head = {
    epoch: history.epoch,
    oldest: String(history.oldestSeq),
    head: String(history.headSeq),
    next: cursorText(history, read.next),
    ...(start.gap ? { gap: start.gap } : {}),
  };
  const list = read.events.map((event) => events.of(event)).join(',');
  return json(`${JSON.stringify(head).slice(0, -1)},"events":[${list}]}`);
}

function json(body: string): Answer {
  return { status: 200, type: 'application/json', body: `${body}\n` };
}
