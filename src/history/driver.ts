/**
 * The SQLite binding, behind five functions, so that `node:sqlite` can replace libsql once Node 20
 * is no longer the floor. No other file imports it.
 */
import { pathToFileURL } from 'node:url';
import Database from 'libsql';

/** What may be bound to a statement. */
export type SqlValue = string | number | bigint | null;
/** One row by column name; integers past 2^53 are bigint. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** One open database. */
export interface Driver {
  exec(sql: string): void;
  run(sql: string, ...values: readonly SqlValue[]): void;
  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[];
  /** Runs `work` in one write transaction: all of it is stored, or nothing is. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** What the database refused. `busy`: another connection holds a lock. */
export class DriverError extends Error {
  readonly reason: 'busy' | 'not-a-database' | 'other';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'DriverError';
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code.startsWith('SQLITE_BUSY')) this.reason = 'busy';
    else if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) this.reason = 'not-a-database';
    else this.reason = 'other';
  }
}

/**
 * Opens a database; without `readOnly` it is made when it is not there.
 * @throws DriverError
 */
export function openDriver(path: string, options: { readOnly: boolean }): Driver {
  // libsql ignores better-sqlite3's `readonly`; only SQLite's own URI form is obeyed.
  const name = options.readOnly ? `${pathToFileURL(path).href}?mode=ro` : path;
  const database = guard(() => new Database(name));
  const statements = new Map<string, Database.Statement>();
  let isOpen = true;
  const prepare = (sql: string): Database.Statement => {
    if (!isOpen) throw new Error('the database is closed');
    const known = statements.get(sql);
    if (known) return known;
    // Without it an integer past 2^53 comes back as its neighbour.
    const made = database.prepare(sql).safeIntegers();
    statements.set(sql, made);
    return made;
  };
  const exec = (sql: string): void =>
    guard(() => {
      if (!isOpen) throw new Error('the database is closed');
      database.exec(sql);
    });
  return {
    exec,
    run: (sql, ...values) => guard(() => void prepare(sql).run(checked(values))),
    // `get` of libsql adds an enumerable `_metadata` to the row; rows of `all` are clean.
    all: (sql, ...values) => guard(() => prepare(sql).all(checked(values)).map(plainRow)),
    transaction: (work) => inTransaction(exec, work),
    close: () => {
      isOpen = false;
      statements.clear();
      guard(() => void database.close());
    },
  };
}

/** libsql prints its own error value where a file cannot be opened. */
function messageOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(text)?.[1];
  return code === undefined ? text : `the database cannot be opened (SQLite code ${code})`;
}

function inTransaction<T>(exec: (sql: string) => void, work: () => T): T {
  exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    exec('COMMIT');
    return result;
  } catch (error) {
    try {
      exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself (disk full, I/O error); the first error is the one to
      // tell.
    }
    throw error;
  }
}

/**
 * libsql aborts the whole process on a boolean, and cuts text at a NUL; both would be our own bug.
 */
function checked(values: readonly SqlValue[]): SqlValue[] {
  for (const value of values) {
    const isPlain = value === null || ['string', 'number', 'bigint'].includes(typeof value);
    if (!isPlain) throw new TypeError(`cannot bind a ${typeof value}`);
    if (typeof value === 'string' && value.includes('\0')) throw new TypeError('NUL in SQL text');
    if (Number.isNaN(value)) throw new TypeError('SQLite would store NaN as NULL');
  }
  return [...values];
}

/** Integers that a double can hold become numbers. */
function plainRow(row: unknown): SqlRow {
  const plain = Object.entries(row as SqlRow).map(([key, value]) => {
    const small = typeof value === 'bigint' ? Number(value) : value;
    return [key, typeof small === 'number' && !Number.isSafeInteger(small) ? value : small];
  });
  return Object.fromEntries(plain);
}

function guard<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw new DriverError(error);
  }
}
