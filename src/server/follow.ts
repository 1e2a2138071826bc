/**
 * The client's side of the stream: follows a watcher through restarts, from one cursor, which moves
 * only past what was handed on in order.
 */
import { randomInt } from 'node:crypto';
import { WebSocket } from 'ws';
import { LaikaError } from '../checkpoint/errors.ts';
import type { Clock } from '../history/clock.ts';

/** Where a watcher answers, and what it wants to see. */
export interface StreamAddress {
  /** Address of the WebSocket stream. */
  readonly url: string;
  readonly token: string;
}

/** A CloudEvent as it came; `data` is the part of the result document that it is about. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  /** Decimal. */
  readonly seq: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly [attribute: string]: unknown;
}

/** How a stream is followed. */
export interface FollowOptions {
  /** Asked before each connection, for a restarted watcher has another address; null: none runs. */
  readonly address: () => StreamAddress | null;
  /** `<epoch>:<seq>`, `now` or `all`. */
  readonly since: string;
  /** Ends after what was in the log when it connected. */
  readonly once: boolean;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly onEvent: (event: ReceivedEvent) => void;
  /** Connection news and gaps, one line each, for people. */
  readonly onNotice: (line: string) => void;
  /** Waits between attempts: random up to `baseMs`, doubled each time up to `capMs`. */
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
}

const backoffDefault = { baseMs: 500, capMs: 30_000 };
/** So long a connection must have lived for the waits to begin at the shortest again. */
const healthyMs = 60_000;
/** A command that is to end gives up in the end. */
const onceFailuresMax = 5;
const messageBytesMax = 1024 * 1024;

/** Close codes after which the same words would be refused again. */
const finalCodes: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009]);

/**
 * Resolves when `signal` aborts, or after the backlog with `once`.
 * @throws LaikaError `connection-failed` when no watcher could ever be reached, or it refuses us.
 */
export async function followStream(options: FollowOptions): Promise<void> {
  const { signal, clock, onNotice } = options;
  const { baseMs, capMs } = options.backoff ?? backoffDefault;
  const cursor = { since: options.since };
  let failures = 0;
  let hasConnected = false;
  while (!signal.aborted) {
    const address = options.address();
    const startedMs = clock.elapsed();
    const end = address ? await connectOnce(options, address, cursor) : noWatcher;
    hasConnected ||= end.wasOpen;
    if (end.isDone || signal.aborted) return;
    const wasHealthy = end.wasOpen && clock.elapsed() - startedMs > healthyMs;
    failures = wasHealthy ? 1 : failures + 1;
    const isHopeless = options.once && failures > onceFailuresMax;
    if (end.isFinal || !hasConnected || isHopeless) throw refused(address, end.reason);
    const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 16));
    onNotice(`disconnected: ${end.reason}`);
    await clock.sleep(randomInt(0, Math.ceil(ceilingMs) + 1), signal);
  }
}

/** How a connection ended. */
interface End {
  readonly reason: string;
  /** It spoke to us before. */
  readonly wasOpen: boolean;
  /** There is nothing more to wait for. */
  readonly isDone: boolean;
  readonly isFinal: boolean;
}

const noWatcher: End = {
  reason: 'no watcher runs on this state folder',
  wasOpen: false,
  isDone: false,
  isFinal: false,
};

function connectOnce(
  options: FollowOptions,
  address: StreamAddress,
  cursor: { since: string },
): Promise<End> {
  return new Promise((resolve) => {
    const socket = new WebSocket(address.url, ['laika.v1'], {
      headers: { Authorization: `Bearer ${address.token}` },
      handshakeTimeout: 5000,
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
    });
    const reader = new Reader(options, cursor, socket);
    let reason: string | null = null;
    let isRefused = false;
    const stop = (): void => reader.leave();
    options.signal.addEventListener('abort', stop);
    socket.on('message', (data) => reader.read(String(data)));
    socket.on('ping', () => reader.stillAlive());
    socket.on('error', (error) => {
      reason ??= error.message;
    });
    socket.on('unexpected-response', (_request, response) => {
      reason = `the server answered ${response.statusCode}`;
      isRefused = [400, 401, 403, 404].includes(response.statusCode ?? 0);
      response.resume();
      socket.terminate();
    });
    socket.on('close', (code, text) => {
      options.signal.removeEventListener('abort', stop);
      reader.forget();
      reason ??= code === 1006 ? 'the connection was lost' : `${code} ${text}`.trim();
      const { wasOpen, isDone } = reader;
      resolve({ reason, wasOpen, isDone, isFinal: isRefused || finalCodes.has(code) });
    });
    if (options.signal.aborted) stop();
  });
}

/** Reads one connection's messages. */
class Reader {
  readonly #options: FollowOptions;
  readonly #cursor: { since: string };
  readonly #socket: WebSocket;
  #epoch = '';
  /** Where `once` ends. */
  #head = 0n;
  #silenceMs = 60_000;
  #watchdog: NodeJS.Timeout | null = null;
  wasOpen = false;
  isDone = false;

  constructor(options: FollowOptions, cursor: { since: string }, socket: WebSocket) {
    this.#options = options;
    this.#cursor = cursor;
    this.#socket = socket;
  }

  read(text: string): void {
    if (this.isDone) return;
    this.stillAlive();
    const message = parse(text);
    if (message?.type === 'hello') this.#hello(message);
    else if (message?.type === 'event') this.#event(message.event as ReceivedEvent);
    else if (message?.type === 'gap') this.#gap(message);
    else if (message?.type === 'heartbeat') this.#reached(String(message.cursor ?? ''));
    else if (message?.type === 'error') this.#fail(String(message.detail));
  }

  /** TCP may die unseen: a server that says nothing for two heartbeats is taken for dead. */
  stillAlive(): void {
    if (this.#watchdog) clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#socket.terminate(), this.#silenceMs);
  }

  leave(): void {
    this.isDone = true;
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), 1000).unref();
  }

  forget(): void {
    if (this.#watchdog) clearTimeout(this.#watchdog);
  }

  #hello(hello: Readonly<Record<string, unknown>>): void {
    this.wasOpen = true;
    this.#epoch = String(hello.epoch);
    this.#head = BigInt(String(hello.head));
    this.#silenceMs = Math.max(5, Number(hello.heartbeatSeconds)) * 2500;
    this.#socket.send(JSON.stringify({ type: 'subscribe', since: this.#cursor.since }));
    // The answer tells where the subscription began: it ends `once` where there is no backlog, and
    // makes a place of `now`, so that a connection lost before the first event misses none.
    this.#socket.send(JSON.stringify({ type: 'ping' }));
  }

  #event(event: ReceivedEvent): void {
    this.#options.onEvent(event);
    this.#reached(`${this.#epoch}:${event.seq}`);
  }

  #gap(gap: Readonly<Record<string, unknown>>): void {
    this.#options.onNotice(`gap: events from ${gap.from} to ${gap.to} are lost (${gap.reason})`);
    this.#reached(String(gap.to));
  }

  /** All up to `cursor` was handed on. */
  #reached(cursor: string): void {
    const seq = /^[0-9a-f]+:(\d+)$/.exec(cursor)?.[1];
    if (seq === undefined) return;
    this.#cursor.since = cursor;
    if (this.#options.once && BigInt(seq) >= this.#head) this.leave();
  }

  #fail(detail: string): void {
    this.#options.onNotice(`the server says: ${detail}`);
    this.#socket.close(1008);
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

function refused(address: StreamAddress | null, reason: string): LaikaError {
  return new LaikaError({
    code: 'connection-failed',
    what: 'no watcher could be followed',
    where: address?.url ?? 'watch.json',
    why: reason,
    next: 'start `laika watch`, and give its --state-dir',
  });
}
