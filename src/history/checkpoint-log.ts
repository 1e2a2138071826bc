/** What was judged, and what may serve as a base. */

import { encodeJson } from '../records/numbers.ts';
import type { Result, Verdict } from '../verdict/result.ts';
import type { Driver, SqlRow } from './driver.ts';

/** A checkpoint with its verdict. */
export interface JudgedCheckpoint {
  readonly run: string;
  readonly path: string;
  /** Changes when the files do: a checkpoint is judged once per identity. */
  readonly identity: string;
  /** As the files say; null where they do not. */
  readonly step: number | null;
  /**
   * Where it stands in the run's order: the step in its name, else in its files; null where
   * unknown.
   */
  readonly position: number | null;
  readonly verdict: Verdict;
  readonly trusted: boolean;
  /** RFC 3339 in UTC. */
  readonly seenAt: string;
}

/** A verdict on its way into the history. */
export interface NewCheckpoint extends JudgedCheckpoint {
  readonly result: Result;
}

/** A verdict out of the history, without its result document. */
export interface CheckpointRow extends JudgedCheckpoint {
  readonly judgedAt: string;
  /** Why it lost the trust that its own verdict gave it; null while it has not. */
  readonly revoked: string | null;
}

/** All but the result documents, which may be megabytes. */
const columns =
  'run, path, identity, step, position, verdict, trusted, revoked, seen_at, judged_at';

/** Stores a verdict inside the caller’s transaction; its checkpoint awaits none any more. */
export function insertCheckpoint(driver: Driver, row: NewCheckpoint, judgedAt: string): void {
  driver.run(
    `INSERT INTO checkpoints
       (run, path, identity, step, position, verdict, result, trusted, seen_at, judged_at)
     VALUES (?,?,?,?,?,?,?,?,?,?)
     ON CONFLICT (run, identity) DO UPDATE SET
       path = excluded.path, step = excluded.step, position = excluded.position,
       verdict = excluded.verdict, result = excluded.result, trusted = excluded.trusted,
       judged_at = excluded.judged_at`,
    row.run,
    row.path,
    row.identity,
    finite(row.step),
    finite(row.position),
    row.verdict,
    encodeJson(row.result),
    row.trusted ? 1 : 0,
    row.seenAt,
    judgedAt,
  );
  driver.run('DELETE FROM sightings WHERE run = ? AND path = ?', row.run, row.path);
}

/** What was found for this very content; null when it was never judged. */
export function findCheckpoint(
  driver: Driver,
  run: string,
  identity: string,
): CheckpointRow | null {
  const rows = driver.all(
    `SELECT ${columns} FROM checkpoints WHERE run = ? AND identity = ?`,
    run,
    identity,
  );
  return rows[0] ? checkpointOf(rows[0]) : null;
}

/** Every checkpoint of a run that was ever judged, in the run's order; deleted ones too. */
export function allCheckpoints(driver: Driver, run: string): CheckpointRow[] {
  return driver
    .all(`SELECT ${columns} FROM checkpoints WHERE run = ? ORDER BY position, id`, run)
    .map(checkpointOf);
}

/** Was this very content judged? */
export function isJudged(driver: Driver, run: string, identity: string): boolean {
  const rows = driver.all(
    'SELECT 1 FROM checkpoints WHERE run = ? AND identity = ?',
    run,
    identity,
  );
  return rows.length > 0;
}

/** JSON text of the result document; null once pruned. */
export function resultOf(driver: Driver, run: string, identity: string): string | null {
  const rows = driver.all(
    'SELECT result FROM checkpoints WHERE run = ? AND identity = ?',
    run,
    identity,
  );
  const text = rows[0]?.result ?? null;
  return text === null ? null : String(text);
}

/** The one that was judged last. */
export function latestCheckpoint(driver: Driver, run: string): CheckpointRow | null {
  const rows = driver.all(
    `SELECT ${columns} FROM checkpoints WHERE run = ? ORDER BY id DESC LIMIT 1`,
    run,
  );
  return rows[0] ? checkpointOf(rows[0]) : null;
}

/**
 * Trusted ones, best base first: the nearest below `before`, or the last judged where that is null.
 */
export function trustedCheckpoints(
  driver: Driver,
  run: string,
  options: { before: number | null; limit: number },
): CheckpointRow[] {
  const { before, limit } = options;
  const rows =
    before === null
      ? driver.all(
          `SELECT ${columns} FROM checkpoints WHERE run = ? AND trusted = 1
           ORDER BY id DESC LIMIT ?`,
          run,
          limit,
        )
      : driver.all(
          `SELECT ${columns} FROM checkpoints WHERE run = ? AND trusted = 1 AND position < ?
           ORDER BY position DESC, id DESC LIMIT ?`,
          run,
          before,
          limit,
        );
  return rows.map(checkpointOf);
}

/** Takes trust away for good, and keeps why. */
export function revokeCheckpoint(
  driver: Driver,
  row: { run: string; identity: string; reason: string },
): void {
  driver.run(
    'UPDATE checkpoints SET trusted = 0, revoked = ? WHERE run = ? AND identity = ?',
    row.reason,
    row.run,
    row.identity,
  );
}

/**
 * Forgets the result documents of all but the newest `keep` checkpoints of each run, never the
 * rows.
 */
export function pruneResults(driver: Driver, keep: number): void {
  driver.run(
    `UPDATE checkpoints SET result = NULL WHERE result IS NOT NULL AND id NOT IN (
       SELECT id FROM (
         SELECT id, row_number() OVER (PARTITION BY run ORDER BY id DESC) AS age FROM checkpoints
       ) WHERE age <= ?)`,
    keep,
  );
}

/** A step that is no number orders nothing: it is stored as unknown. */
function finite(step: number | null): number | null {
  return step !== null && Number.isFinite(step) ? step : null;
}

function checkpointOf(row: SqlRow): CheckpointRow {
  const number = (key: string): number | null => (row[key] === null ? null : Number(row[key]));
  const text = (key: string): string | null => (row[key] === null ? null : String(row[key]));
  return {
    run: String(row.run),
    path: String(row.path),
    identity: String(row.identity),
    step: number('step'),
    position: number('position'),
    verdict: String(row.verdict) as Verdict,
    trusted: row.trusted === 1,
    seenAt: String(row.seen_at),
    judgedAt: String(row.judged_at),
    revoked: text('revoked'),
  };
}
