/**
 * The memory of all runs in one state folder. An event is committed, with its number, before
 * anybody hears of it: kill -9 loses nothing and repeats nothing.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import { activeAlerts, findAlert, saveAlert } from './alert-log.ts';
import type { AlertRecord } from './alert-record.ts';
import {
  allCheckpoints,
  type CheckpointRow,
  findCheckpoint,
  insertCheckpoint,
  isJudged,
  latestCheckpoint,
  type NewCheckpoint,
  pruneResults,
  resultOf,
  revokeCheckpoint,
  trustedCheckpoints,
} from './checkpoint-log.ts';
import { type Clock, timestamp } from './clock.ts';
import { type Driver, DriverError } from './driver.ts';
import type { NewEvent, StoredEvent } from './event.ts';
import { type EventFilter, passesFilter } from './event-filter.ts';
import { appendEvents, headOf, oldestOf, pruneEvents, readEvents } from './event-log.ts';
import { openReader, openWriter, readMeta, type Store } from './open-store.ts';
import {
  addSighting,
  forgetSightings,
  type SeenCheckpoint,
  seenAt,
  sightingsOf,
} from './sighting-log.ts';
import type { WriterLock } from './writer-lock.ts';

/** How a history is opened. */
export interface HistoryOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Reads beside a writer, and takes no lock. */
  readonly readOnly?: boolean;
}

/** What is stored in one transaction. */
export interface Recording {
  readonly checkpoint?: NewCheckpoint;
  /** Checkpoints seen for the first time and not judged yet. */
  readonly sightings?: readonly SeenCheckpoint[];
  readonly alert?: AlertRecord;
  /** What suspicions remember of the run, after this checkpoint. */
  readonly memory?: { readonly run: string; readonly text: string };
  readonly events: readonly NewEvent[];
}

/** A part of the log. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** The last number looked at, whether it passed the filter or not: where to go on. */
  readonly next: number;
}

/** The history of one state folder, open. */
export class History {
  readonly #driver: Driver;
  readonly #lock: WriterLock | null;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #listeners = new Set<(events: readonly StoredEvent[]) => void>();
  #isClosed = false;
  /** Random, made with the database: a cursor of another database is recognised by it. */
  readonly epoch: string;
  readonly folder: string;

  private constructor(folder: string, store: Store, clock: Pick<Clock, 'now'>) {
    this.folder = folder;
    this.#driver = store.driver;
    this.#lock = store.lock;
    this.#clock = clock;
    this.epoch = readMeta(store.driver, 'epoch') ?? '';
  }

  /**
   * @throws LaikaError `state-locked` when another process writes this folder; `state-invalid` when
   * the folder or its database cannot be used; `path-missing` when there is nothing to read.
   */
  static open(folder: string, options: HistoryOptions): History {
    const store = options.readOnly ? openReader(folder) : openWriter(folder);
    return new History(folder, store, options.clock);
  }

  /** Sequence number of the oldest event that is kept; 1 before the first. */
  get oldestSeq(): number {
    return oldestOf(this.#driver);
  }

  /** Sequence number of the newest event; 0 before the first. */
  get headSeq(): number {
    return headOf(this.#driver);
  }

  /** Runs that were ever watched, in the order of their names. */
  get runs(): readonly string[] {
    return this.#driver.all('SELECT run FROM runs ORDER BY run').map((row) => String(row.run));
  }

  /**
   * Stores all of it or nothing, then tells the listeners. Returns the events with their numbers.
   * @throws LaikaError `state-invalid` where nothing can be written, for example on a full disk.
   */
  record(recording: Recording): readonly StoredEvent[] {
    const time = timestamp(this.#clock);
    const stored = this.#write((driver) => {
      for (const sighting of recording.sightings ?? []) addSighting(driver, sighting, time);
      if (recording.checkpoint) insertCheckpoint(driver, recording.checkpoint, time);
      if (recording.alert) saveAlert(driver, recording.alert);
      const { memory } = recording;
      if (memory) {
        driver.run('INSERT OR REPLACE INTO memories VALUES (?,?)', memory.run, memory.text);
      }
      for (const run of new Set(recording.events.map((event) => event.run))) {
        if (run !== null) driver.run('INSERT OR IGNORE INTO runs VALUES (?,?)', run, time);
      }
      return appendEvents(driver, recording.events, time);
    });
    for (const listener of this.#listeners) listener(stored);
    return stored;
  }

  /**
   * Calls `listener` after each commit of this process; returns what ends that. It must not throw.
   */
  onRecorded(listener: (events: readonly StoredEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The events after `seq`, in order, out of the next `limit` that are stored. */
  eventsAfter(seq: number, limit: number, filter: EventFilter = {}): EventPage {
    const read = readEvents(this.#driver, seq, limit);
    return {
      events: read.filter((event) => passesFilter(event, filter)),
      next: read.at(-1)?.seq ?? seq,
    };
  }

  /**
   * The best base: nearest trusted checkpoint below `beforeStep`, or without it the last trusted.
   */
  lastTrusted(run: string, beforeStep: number | null = null): CheckpointRow | null {
    return this.trusted(run, { before: beforeStep, limit: 1 })[0] ?? null;
  }

  /** Trusted checkpoints, best base first. */
  trusted(run: string, options: { before: number | null; limit: number }): CheckpointRow[] {
    return trustedCheckpoints(this.#driver, run, options);
  }

  /** What was found for this very content; null when it was never judged. */
  checkpoint(run: string, identity: string): CheckpointRow | null {
    return findCheckpoint(this.#driver, run, identity);
  }

  isJudged(run: string, identity: string): boolean {
    return isJudged(this.#driver, run, identity);
  }

  /** The result document as JSON text, its numbers as the codec wrote them; null once pruned. */
  resultJson(run: string, identity: string): string | null {
    return resultOf(this.#driver, run, identity);
  }

  /** The one that was judged last; null when none was. */
  latest(run: string): CheckpointRow | null {
    return latestCheckpoint(this.#driver, run);
  }

  /** A later pair showed that this one is bad: it is no base any more. */
  revoke(run: string, identity: string, reason: string): void {
    this.#write((driver) => revokeCheckpoint(driver, { run, identity, reason }));
  }

  /** Paths of checkpoints that were seen and await their verdict. */
  sightings(run: string): ReadonlySet<string> {
    return sightingsOf(this.#driver, run);
  }

  /** When a checkpoint that awaits its verdict was first seen; null when it was not. */
  seenAt(run: string, path: string): string | null {
    return seenAt(this.#driver, { run, path });
  }

  /** Forgets checkpoints that went away before they were judged. */
  forgetSightings(run: string, paths: readonly string[]): void {
    if (paths.length > 0) this.#write((driver) => forgetSightings(driver, run, paths));
  }

  /** Every checkpoint of the run that was ever judged, in order; those long deleted too. */
  checkpoints(run: string): CheckpointRow[] {
    return allCheckpoints(this.#driver, run);
  }

  /** What suspicions remember of the run; null before its first judged checkpoint. */
  memory(run: string): string | null {
    const [row] = this.#driver.all('SELECT memory FROM memories WHERE run = ?', run);
    return row ? String(row.memory) : null;
  }

  alert(id: string): AlertRecord | null {
    return findAlert(this.#driver, id);
  }

  /** Firing and acknowledged ones. */
  activeAlerts(): AlertRecord[] {
    return activeAlerts(this.#driver);
  }

  /** Keeps the newest `events` and the newest `results` documents of each run; both at least 1. */
  prune(keep: { readonly events: number; readonly results: number }): void {
    this.#write((driver) => {
      pruneEvents(driver, keep.events);
      pruneResults(driver, Math.max(1, keep.results));
    });
  }

  /** Brings the log into the database and lets another writer in. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#lock) bringIn(this.#driver);
    this.#driver.close();
    this.#lock?.release();
  }

  #write<T>(work: (driver: Driver) => T): T {
    try {
      return this.#driver.transaction(() => work(this.#driver));
    } catch (error) {
      throw error instanceof DriverError ? unwritable(this.folder, error) : error;
    }
  }
}

/** What does not fit on a full disk stays in the log, and the next writer finds it there. */
function bringIn(driver: Driver): void {
  try {
    driver.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
  }
}

function unwritable(folder: string, cause: DriverError): LaikaError {
  const details = {
    code: 'state-invalid' as const,
    what: 'the history cannot be written',
    where: folder,
    why: cause.message,
    next: 'free space on its disk, or give another folder with --state-dir',
  };
  return new LaikaError(details, { cause });
}
