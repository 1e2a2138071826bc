/** What happened, with its place in the log, and the envelope in which others receive it. */
import type { Severity } from '../verdict/result.ts';

/** What can happen. A name never changes its meaning; a new meaning is a new version. */
export type EventType =
  | 'dev.laika.checkpoint.seen.v1'
  | 'dev.laika.checkpoint.verdict.v1'
  | 'dev.laika.alert.firing.v1'
  | 'dev.laika.alert.acknowledged.v1'
  | 'dev.laika.alert.resolved.v1'
  | 'dev.laika.run.stalled.v1'
  | 'dev.laika.watcher.started.v1'
  | 'dev.laika.watcher.degraded.v1';

/** What happened, before it has its place in the log. */
export interface NewEvent {
  readonly type: EventType;
  /** Null: it is about the watcher, not about a run. */
  readonly run: string | null;
  /** What it is about, such as the checkpoint's path; null where the type says it all. */
  readonly subject: string | null;
  readonly severity: Severity;
  /** Anything that `encodeJson` can write. */
  readonly data: unknown;
}

/** What happened, as it lies in the log. */
export interface StoredEvent extends Omit<NewEvent, 'data'> {
  /** 1, 2, 3, … without a hole, for the life of the database. */
  readonly seq: number;
  /** RFC 3339 in UTC. */
  readonly time: string;
  /** JSON text, as stored: parsing it again would lose what the number codec kept. */
  readonly data: string;
}

/** Control characters and lone surrogates, which CloudEvents forbids in its attributes. */
const forbidden = /[\p{Cc}\p{Cs}]/gu;

/** CloudEvents 1.0 as JSON text. `host` is the name of this machine. */
export function cloudEventJson(event: StoredEvent, from: { epoch: string; host: string }): string {
  const attributes = {
    specversion: '1.0',
    id: `${from.epoch}-${String(event.seq).padStart(12, '0')}`,
    source: sourceOf(from.host, event.run),
    type: event.type,
    ...(event.subject === null ? {} : { subject: clean(event.subject) }),
    time: event.time,
    datacontenttype: 'application/json',
    seq: String(event.seq),
    severity: event.severity,
  };
  return `${JSON.stringify(attributes).slice(0, -1)},"data":${event.data}}`;
}

/** `/laika/<host>/<run>`, a URI reference: each part of the run's path is escaped. */
function sourceOf(host: string, run: string | null): string {
  const parts = [host, ...(run ?? '').split('/')].filter((part) => part !== '');
  return `/laika/${parts.map((part) => encodeURIComponent(clean(part))).join('/')}`;
}

function clean(text: string): string {
  return text.replace(forbidden, '\u{fffd}');
}
