/** Places in the log: `<epoch>:<seq>` means that all up to and with `seq` was read. */
import type { History } from '../history/history.ts';

/** Where a reader starts, and what it must be told it has missed. */
export interface Start {
  readonly seq: number;
  readonly gap: Gap | null;
}

/** Events that can no longer be sent. */
export interface Gap {
  /** The place that was asked for, and the one from which the events go on. */
  readonly from: string;
  readonly to: string;
  readonly reason: 'retention' | 'epoch';
}

/** `<epoch>:<seq>` of this log. */
export function cursorText(history: History, seq: number): string {
  return `${history.epoch}:${seq}`;
}

/** `<epoch>:<seq>`, `now` or `all`; null for anything else. */
export function startOf(history: History, since: string): Start | null {
  const { headSeq, oldestSeq } = history;
  if (since === 'now') return { seq: headSeq, gap: null };
  if (since === 'all') return { seq: oldestSeq - 1, gap: null };
  const parts = /^([0-9a-f]{1,64}):(\d{1,15})$/.exec(since);
  if (!parts) return null;
  const seq = Number(parts[2]);
  const startAt = (reason: Gap['reason']): Start => ({
    seq: oldestSeq - 1,
    gap: { from: since, to: cursorText(history, oldestSeq - 1), reason },
  });
  // A number that was never given out belongs to another log as well (a restored copy).
  if (parts[1] !== history.epoch || seq > headSeq) return startAt('epoch');
  return seq < oldestSeq - 1 ? startAt('retention') : { seq, gap: null };
}
