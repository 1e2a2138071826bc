/**
 * Backlog and live events on one way: a cursor into the log, moved on whenever the client has room.
 * There is no second way for live events, so none can overtake what was missed.
 */
import type { StoredEvent } from '../history/event.ts';
import type { EventFilter } from '../history/event-filter.ts';
import type { History } from '../history/history.ts';
import type { Gap } from './cursor.ts';
import { cursorText } from './cursor.ts';
import type { StreamLimits } from './limits.ts';

/** Where the text goes. */
export interface Sink {
  /** Bytes that are queued in this process. */
  bufferedBytes(): number;
  /** `sent` is called once the bytes left the queue. */
  send(text: string, sent: () => void): void;
}

/** What a pump works with. */
export interface PumpOptions {
  readonly history: History;
  readonly sink: Sink;
  readonly limits: StreamLimits;
  /** What is sent for an event. */
  readonly render: (event: StoredEvent) => string;
  /** Events after the cursor were forgotten before they could be sent. */
  readonly onGap: (gap: Gap) => void;
  /** The log could not be read. */
  readonly onFault: (error: unknown) => void;
  /** Elapsed milliseconds. */
  readonly now: () => number;
}

/** Rows read at a time; between two pages other clients have their turn. */
const pageEvents = 64;

/** One reader’s way through the log. */
export class Pump {
  readonly #options: PumpOptions;
  #seq = 0;
  #startHead = 0;
  #filter: EventFilter = {};
  #page: StoredEvent[] = [];
  #pageNext = 0;
  #isStarted = false;
  #isScheduled = false;
  #fullSinceMs: number | null = null;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  /** Begins, or begins anew, after `seq`. */
  start(seq: number, filter: EventFilter): void {
    this.#seq = seq;
    this.#pageNext = seq;
    this.#page = [];
    this.#filter = filter;
    this.#startHead = this.#options.history.headSeq;
    this.#isStarted = true;
    this.wake();
  }

  stop(): void {
    this.#isStarted = false;
    this.#page = [];
  }

  /** Everything up to this number was sent or filtered out. */
  get seq(): number {
    return this.#seq;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The queue is full; nothing else should be sent. */
  get isFull(): boolean {
    return this.#fullSinceMs !== null;
  }

  /** Why this client must go, or null. What it asked for as backlog does not count as lag. */
  slowness(): string | null {
    const { limits, history, now } = this.#options;
    if (!this.#isStarted || this.#fullSinceMs === null) return null;
    const lag = history.headSeq - Math.max(this.#seq, this.#startHead);
    if (lag > limits.lagEventsMax) return `${lag} events behind`;
    const fullMs = now() - this.#fullSinceMs;
    return fullMs > limits.stalledMsMax ? 'nothing was read for too long' : null;
  }

  /** There may be something to send, or room to send it. */
  wake(): void {
    this.#checkRoom();
    if (this.#isScheduled || !this.#isStarted || this.#fullSinceMs !== null) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (!this.#isStarted) return;
    try {
      if (this.#page.length === 0) this.#readPage();
      this.#sendPage();
    } catch (error) {
      this.stop();
      this.#options.onFault(error);
    }
  }

  #readPage(): void {
    const { history, onGap } = this.#options;
    const { oldestSeq } = history;
    if (this.#seq < oldestSeq - 1) {
      const [from, to] = [cursorText(history, this.#seq), cursorText(history, oldestSeq - 1)];
      this.#seq = oldestSeq - 1;
      onGap({ from, to, reason: 'retention' });
    }
    const { events, next } = history.eventsAfter(this.#seq, pageEvents, this.#filter);
    this.#page = [...events];
    this.#pageNext = next;
  }

  #sendPage(): void {
    const { sink, limits, render, now } = this.#options;
    let sent = 0;
    for (const event of this.#page) {
      const text = render(event);
      const after = sink.bufferedBytes() + Buffer.byteLength(text);
      // An event larger than the mark still goes out, alone.
      if (after > limits.highWaterBytes && sink.bufferedBytes() > 0) {
        this.#fullSinceMs = now();
        break;
      }
      sink.send(text, () => {
        if (this.#fullSinceMs !== null) this.wake();
      });
      this.#seq = event.seq;
      sent += 1;
    }
    this.#page.splice(0, sent);
    if (this.#page.length > 0) return;
    const isMore = this.#pageNext > this.#seq || sent > 0;
    this.#seq = Math.max(this.#seq, this.#pageNext);
    if (isMore) this.wake();
  }

  /** A few drained bytes are no progress: only a queue below the low mark is. */
  #checkRoom(): void {
    const { sink, limits } = this.#options;
    if (sink.bufferedBytes() <= limits.lowWaterBytes) this.#fullSinceMs = null;
  }
}
