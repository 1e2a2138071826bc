/** Opens the database of a state folder: one process writes it, any number read. */
import { existsSync } from 'node:fs';
import { LaikaError } from '../checkpoint/errors.ts';
import { type Driver, DriverError, openDriver } from './driver.ts';
import { checkVersion, migrate } from './schema.ts';
import { databasePath, prepareStateFolder, readWatchFile } from './state-folder.ts';
import { takeWriterLock, type WriterLock } from './writer-lock.ts';

/** The database of a state folder, open. */
export interface Store {
  readonly driver: Driver;
  /** Null for a reader. */
  readonly lock: WriterLock | null;
}

/**
 * Takes the writer's lock, and brings the schema up to date.
 * @throws LaikaError `state-locked`, `state-invalid`.
 */
export function openWriter(folder: string): Store {
  prepareStateFolder(folder);
  const lock = lockOf(folder);
  if (!lock) throw lockedBy(folder);
  let driver: Driver | null = null;
  try {
    const opened = openDriver(databasePath(folder), { readOnly: false });
    driver = opened;
    opened.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON');
    opened.all('PRAGMA journal_mode = WAL');
    // NORMAL may lose the last commits with the power: an event that was seen would be gone.
    opened.exec('PRAGMA synchronous = FULL');
    const check = String(opened.all('PRAGMA quick_check(1)')[0]?.quick_check);
    if (check !== 'ok') throw unusable(folder, check);
    migrate(opened, folder);
    opened.transaction(() => writeMeta(opened, 'writer', String(process.pid)));
    return { driver: opened, lock };
  } catch (error) {
    driver?.close();
    lock.release();
    throw error instanceof DriverError ? unusable(folder, error.message) : error;
  }
}

function lockOf(folder: string): WriterLock | null {
  try {
    return takeWriterLock(folder);
  } catch (error) {
    throw error instanceof DriverError ? unusable(folder, error.message) : error;
  }
}

/** Reads beside a writer. @throws LaikaError `path-missing`, `state-invalid`. */
export function openReader(folder: string): Store {
  const path = databasePath(folder);
  if (!existsSync(path)) {
    const next = 'start `laika watch`, or name its folder with --state-dir';
    throw new LaikaError({ code: 'path-missing', what: 'no history is here', where: folder, next });
  }
  let driver: Driver | null = null;
  try {
    driver = openDriver(path, { readOnly: true });
    driver.exec('PRAGMA busy_timeout = 5000');
    if (checkVersion(driver, folder) === 0) throw unusable(folder, 'its database is empty');
    return { driver, lock: null };
  } catch (error) {
    driver?.close();
    throw error instanceof DriverError ? unusable(folder, error.message) : error;
  }
}

/** Names the process that holds the lock, as far as it has said who it is. */
function lockedBy(folder: string): LaikaError {
  const watch = readWatchFile(folder);
  const holder = watch ? `process ${watch.pid}, ${watch.url}` : `process ${writerPid(folder)}`;
  return new LaikaError({
    code: 'state-locked',
    what: 'another Laika writes this state folder',
    where: folder,
    why: `${holder}, holds it`,
    next: 'stop that one, or give this one another folder with --state-dir',
  });
}

function writerPid(folder: string): string {
  try {
    const { driver } = openReader(folder);
    const pid = readMeta(driver, 'writer');
    driver.close();
    return pid ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** What the database says of itself; null where it does not. */
export function readMeta(driver: Driver, key: string): string | null {
  const rows = driver.all('SELECT value FROM meta WHERE key = ?', key);
  return rows[0] ? String(rows[0].value) : null;
}

function writeMeta(driver: Driver, key: string, value: string): void {
  driver.run('INSERT OR REPLACE INTO meta VALUES (?,?)', key, value);
}

function unusable(folder: string, why: string): LaikaError {
  return new LaikaError({
    code: 'state-invalid',
    what: 'the history in this state folder cannot be used',
    where: folder,
    why,
    next: 'move the folder away, or give another one with --state-dir',
  });
}
