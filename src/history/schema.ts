/** The tables, and how an older database becomes a present one. */
import { randomBytes } from 'node:crypto';
import { LaikaError } from '../checkpoint/errors.ts';
import type { Driver } from './driver.ts';

/** One entry a version, never edited once released: `user_version` counts those that ran. */
const migrations: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE runs (run TEXT PRIMARY KEY, added_at TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE sightings (
     run TEXT NOT NULL, path TEXT NOT NULL, seen_at TEXT NOT NULL, PRIMARY KEY (run, path)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE checkpoints (
     id INTEGER PRIMARY KEY,
     run TEXT NOT NULL, path TEXT NOT NULL, identity TEXT NOT NULL,
     step REAL, position REAL,
     verdict TEXT NOT NULL, result TEXT,
     trusted INTEGER NOT NULL, revoked TEXT,
     seen_at TEXT NOT NULL, judged_at TEXT NOT NULL,
     UNIQUE (run, identity)
   ) STRICT;
   CREATE INDEX checkpoints_by_position ON checkpoints (run, trusted, position);
   CREATE TABLE events (
     seq INTEGER PRIMARY KEY,
     type TEXT NOT NULL, run TEXT, subject TEXT, severity TEXT NOT NULL,
     time TEXT NOT NULL, data TEXT NOT NULL
   ) STRICT;
   CREATE TABLE memories (run TEXT PRIMARY KEY, memory TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE alerts (
     id TEXT PRIMARY KEY, run TEXT NOT NULL, active INTEGER NOT NULL, alert TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

/** The version that this Laika writes. */
export const schemaVersion = migrations.length;

/** @throws LaikaError `state-invalid` when a newer Laika wrote the database. */
export function checkVersion(driver: Driver, where: string): number {
  const found = Number(driver.all('PRAGMA user_version')[0]?.user_version ?? 0);
  if (found <= schemaVersion) return found;
  throw new LaikaError({
    code: 'state-invalid',
    what: 'the state folder was written by a newer Laika',
    where,
    why: `its version is ${found}, this Laika knows ${schemaVersion}`,
    next: 'use the newer Laika, or another --state-dir',
  });
}

/**
 * Brings the database to `schemaVersion`; a new one gets its epoch here, in the same transaction.
 */
export function migrate(driver: Driver, where: string): void {
  driver.transaction(() => {
    const found = checkVersion(driver, where);
    for (const migration of migrations.slice(found)) driver.exec(migration);
    if (found === 0) {
      const epoch = randomBytes(8).toString('hex');
      driver.run(`INSERT INTO meta VALUES ('epoch', ?)`, epoch);
    }
    if (found < schemaVersion) driver.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}
