/** The folder that holds what Laika remembers: who may read it, its token, and who is watching. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { LaikaError } from '../checkpoint/errors.ts';
import { isStillRunning } from './process-start.ts';

/** `watch.json`: where the running watcher answers. */
export interface WatchFile {
  /** Address of the WebSocket stream. */
  readonly url: string;
  readonly pid: number;
  readonly runs: readonly string[];
  /** RFC 3339 in UTC. */
  readonly startedAt: string;
}

/**
 * Magic numbers of statfs(2) for storage shared between hosts, on which SQLite's WAL is not safe.
 */
const sharedFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x0bd00bd0, 'Lustre'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x00c36400, 'Ceph'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
]);

/**
 * Makes the folder (0700) and an empty database (0600) when they are not there.
 * @throws LaikaError `state-invalid` where it cannot be made or lies on storage shared by hosts.
 */
export function prepareStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The log and the shared memory that SQLite makes beside a database take its mode.
    makePrivateFile(databasePath(folder));
    makePrivateFile(lockPath(folder));
  } catch (error) {
    throw invalid(folder, 'the state folder cannot be written', (error as Error).message);
  }
  const shared = sharedFileSystems.get(statfsSync(folder).type >>> 0);
  if (shared !== undefined) {
    throw invalid(folder, 'the state folder must lie on a local disk', `this one is on ${shared}`);
  }
}

/**
 * Only where there is none: closing a descriptor of a file drops all locks that this process holds on
 * it, those of SQLite included.
 */
function makePrivateFile(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

/** The database that is opened only for its lock. */
export function lockPath(folder: string): string {
  return join(folder, 'laika.lock');
}

/** Where the history lies. */
export function databasePath(folder: string): string {
  return join(folder, 'laika.db');
}

/**
 * The token that clients show: 32 random bytes as base64url, made when there is none.
 * @throws LaikaError `state-invalid` when it cannot be written, or the file holds something else.
 */
export function ensureToken(folder: string): string {
  const path = join(folder, 'token');
  try {
    if (!existsSync(path)) replaceFile(path, `${randomBytes(32).toString('base64url')}\n`);
    chmodSync(path, 0o600);
  } catch (error) {
    throw invalid(path, 'the token cannot be written', (error as Error).message);
  }
  return readToken(folder);
}

/** @throws LaikaError `state-invalid` */
export function readToken(folder: string): string {
  const path = join(folder, 'token');
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw invalid(path, 'the token cannot be read', (error as Error).message);
  }
  if (/^[A-Za-z0-9_-]{32,256}$/.test(text)) return text;
  throw invalid(path, 'this is no token', 'one line of 32 to 256 base64url characters is expected');
}

/**
 * Written by rename: a reader sees all of it or nothing.
 * @throws LaikaError `state-invalid`
 */
export function writeWatchFile(folder: string, watch: WatchFile): void {
  const path = join(folder, 'watch.json');
  try {
    replaceFile(path, `${JSON.stringify(watch)}\n`);
  } catch (error) {
    throw invalid(path, 'where the watcher answers cannot be written', (error as Error).message);
  }
}

/** Says that nobody is watching; without a file it does nothing. */
export function removeWatchFile(folder: string): void {
  rmSync(join(folder, 'watch.json'), { force: true });
}

/** Null without a watcher: no file, not ours, or left behind by a process that is no more. */
export function readWatchFile(folder: string): WatchFile | null {
  let watch: unknown;
  try {
    watch = JSON.parse(readFileSync(join(folder, 'watch.json'), 'utf8'));
  } catch {
    return null;
  }
  return isWatchFile(watch) && isStillRunning(watch.pid, Date.parse(watch.startedAt))
    ? watch
    : null;
}

function isWatchFile(value: unknown): value is WatchFile {
  const watch = (value ?? {}) as Partial<Record<keyof WatchFile, unknown>>;
  return (
    typeof watch.url === 'string' &&
    Number.isSafeInteger(watch.pid) &&
    Number(watch.pid) > 0 &&
    Array.isArray(watch.runs) &&
    typeof watch.startedAt === 'string'
  );
}

function replaceFile(path: string, text: string): void {
  const fresh = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function invalid(where: string, what: string, why: string): LaikaError {
  const next = 'give another folder with --state-dir';
  return new LaikaError({ code: 'state-invalid', what, where, why, next });
}
