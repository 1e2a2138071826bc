/** The log: one table, one writer, numbers without a hole. */

import { encodeJson } from '../records/numbers.ts';
import type { Severity } from '../verdict/result.ts';
import type { Driver, SqlRow } from './driver.ts';
import type { EventType, NewEvent, StoredEvent } from './event.ts';

/** Appends inside the caller's transaction. */
export function appendEvents(
  driver: Driver,
  events: readonly NewEvent[],
  time: string,
): StoredEvent[] {
  let seq = headOf(driver);
  return events.map((event) => {
    seq += 1;
    const stored: StoredEvent = { ...event, seq, time, data: encodeJson(event.data) };
    driver.run(
      'INSERT INTO events (seq, type, run, subject, severity, time, data) VALUES (?,?,?,?,?,?,?)',
      seq,
      stored.type,
      stored.run,
      stored.subject,
      stored.severity,
      time,
      stored.data,
    );
    return stored;
  });
}

/** Sequence number of the newest event, 0 before the first. */
export function headOf(driver: Driver): number {
  return Number(driver.all('SELECT max(seq) AS seq FROM events')[0]?.seq ?? 0);
}

/** Sequence number of the oldest event that is still there; 1 before the first. */
export function oldestOf(driver: Driver): number {
  return Number(driver.all('SELECT min(seq) AS seq FROM events')[0]?.seq ?? 1);
}

/** At most `limit` events after `after`, in order. */
export function readEvents(driver: Driver, after: number, limit: number): StoredEvent[] {
  const rows = driver.all('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?', after, limit);
  return rows.map(eventOf);
}

/**
 * Forgets all but the newest `keep` events, of which there is at least one: it carries the number
 * on.
 */
export function pruneEvents(driver: Driver, keep: number): void {
  driver.run('DELETE FROM events WHERE seq <= ?', headOf(driver) - Math.max(1, keep));
}

function eventOf(row: SqlRow): StoredEvent {
  const text = (key: string): string | null => (row[key] === null ? null : String(row[key]));
  return {
    seq: Number(row.seq),
    type: String(row.type) as EventType,
    run: text('run'),
    subject: text('subject'),
    severity: String(row.severity) as Severity,
    time: String(row.time),
    data: String(row.data),
  };
}
