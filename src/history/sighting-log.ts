/** Checkpoints that were seen and await their verdict. */
import type { Driver } from './driver.ts';

/** A checkpoint of a run, not judged yet. */
export interface SeenCheckpoint {
  readonly run: string;
  readonly path: string;
}

/** Keeps when it was first seen; a second sighting changes nothing. */
export function addSighting(driver: Driver, { run, path }: SeenCheckpoint, time: string): void {
  driver.run('INSERT OR IGNORE INTO sightings VALUES (?,?,?)', run, path, time);
}

/** Paths of the run's. */
export function sightingsOf(driver: Driver, run: string): ReadonlySet<string> {
  const rows = driver.all('SELECT path FROM sightings WHERE run = ?', run);
  return new Set(rows.map((row) => String(row.path)));
}

/** When it was first seen, RFC 3339 in UTC; null when it was not. */
export function seenAt(driver: Driver, { run, path }: SeenCheckpoint): string | null {
  const sql = 'SELECT seen_at FROM sightings WHERE run = ? AND path = ?';
  const [row] = driver.all(sql, run, path);
  return row ? String(row.seen_at) : null;
}

/** Called in a transaction: forgets all of them or none. */
export function forgetSightings(driver: Driver, run: string, paths: readonly string[]): void {
  for (const path of paths) {
    driver.run('DELETE FROM sightings WHERE run = ? AND path = ?', run, path);
  }
}
