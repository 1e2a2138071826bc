/**
 * The life of an alert, as pure functions: one alert a run, moved on by its checkpoints' verdicts.
 */
import { createHash } from 'node:crypto';
import type { AlertRecord } from '../history/alert-record.ts';
import type { Severity, Verdict } from '../verdict/result.ts';

/** One checkpoint that was judged. */
export interface Observation {
  readonly run: string;
  readonly verdict: Verdict;
  readonly severity: Severity;
  readonly checkpoint: AlertRecord['checkpoint'];
  /** It was compared with a trusted checkpoint. */
  readonly hasBase: boolean;
  /** Rules that it breaks, worst first. */
  readonly rules: readonly string[];
  /** RFC 3339 in UTC. */
  readonly time: string;
}

/** What an observation does: the alert as it is now, and the event to tell. */
export interface AlertChange {
  readonly alert: AlertRecord;
  readonly change: 'firing' | 'resolved';
}

const rulesKept = 10;

/** Same for every observation of a run, in every Laika: what receivers recognise an alert by. */
export function alertId(run: string): string {
  return createHash('sha256').update(`checkpoint-verdict\n${run}`).digest('hex').slice(0, 16);
}

/**
 * Null: nothing changes. A bad checkpoint fires (again); only a good one that was compared with a
 * trusted base resolves. `unverified` says nothing about the weights, so it does neither.
 */
export function observe(current: AlertRecord | null, seen: Observation): AlertChange | null {
  const active = current !== null && current.state !== 'resolved' ? current : null;
  if (seen.verdict === 'corrupt' || seen.verdict === 'suspect') {
    const escalates = active?.verdict === 'suspect' && seen.verdict === 'corrupt';
    const isAcknowledged = active?.state === 'acknowledged' && !escalates;
    const alert: AlertRecord = {
      id: alertId(seen.run),
      run: seen.run,
      state: isAcknowledged ? 'acknowledged' : 'firing',
      severity: seen.severity,
      verdict: seen.verdict,
      checkpoint: seen.checkpoint,
      rules: [...new Set(seen.rules)].slice(0, rulesKept),
      count: (active?.count ?? 0) + 1,
      since: active?.since ?? seen.time,
      updatedAt: seen.time,
      acknowledgedBy: isAcknowledged ? active.acknowledgedBy : null,
    };
    return { alert, change: 'firing' };
  }
  const isGood = seen.verdict === 'intact' || seen.verdict === 'unremarkable';
  if (!active || !isGood || !seen.hasBase) return null;
  const { verdict, checkpoint, time: updatedAt } = seen;
  const alert = { ...active, state: 'resolved' as const, verdict, checkpoint, updatedAt };
  return { alert, change: 'resolved' };
}

/** `by` is who says so; null when the alert is not active. */
export function acknowledge(alert: AlertRecord, by: string, time: string): AlertRecord | null {
  if (alert.state === 'resolved') return null;
  return { ...alert, state: 'acknowledged', acknowledgedBy: by, updatedAt: time };
}
