/**
 * One writer a state folder. The lock is SQLite's lock on a database of its own, held open for the
 * life of the process: the kernel drops it when the process dies, however it dies.
 */
import { type Driver, DriverError, openDriver } from './driver.ts';
import { lockPath } from './state-folder.ts';

/** Held until it is released, or the process ends. */
export interface WriterLock {
  release(): void;
}

/**
 * Takes the lock, or returns null when another connection (of any process) has it.
 * Nothing else may open the file in this process: closing any descriptor of it would drop the lock.
 */
export function takeWriterLock(folder: string): WriterLock | null {
  const driver: Driver = openDriver(lockPath(folder), { readOnly: false });
  try {
    driver.exec('PRAGMA busy_timeout = 0');
    driver.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    driver.close();
    if (error instanceof DriverError && error.reason === 'busy') return null;
    throw error;
  }
  return {
    release: () => {
      driver.exec('ROLLBACK');
      driver.close();
    },
  };
}
