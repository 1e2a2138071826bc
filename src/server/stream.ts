/** All WebSocket clients: places, timers, and the wake-up when something was recorded. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../history/clock.ts';
import type { History } from '../history/history.ts';
import { offeredProtocols } from './authorise.ts';
import type { EventText } from './event-text.ts';
import type { StreamLimits } from './limits.ts';
import { type Problem, problemResponse } from './problem.ts';
import { StreamClient } from './stream-client.ts';

/** What the stream works with. */
export interface StreamOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly events: EventText;
  readonly version: string;
  readonly runs: readonly string[];
  readonly log: (line: string) => void;
}

/** Ours, with control messages, before the one that generic tools know. */
const protocols: readonly string[] = ['laika.v1', 'cloudevents.json'];

const paceMs = 1000;

/** The clients of one server. */
export class Stream {
  readonly #options: StreamOptions;
  readonly #server: WebSocketServer;
  readonly #clients = new Map<StreamClient, string>();
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #forgetHistory: () => void;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: 64 * 1024,
      maxFragments: 16,
      maxBufferedChunks: 1024,
      // Without it the first offered one is echoed, whatever it is.
      handleProtocols: (offered) => protocols.find((name) => offered.has(name)) ?? false,
    });
    const { limits } = options;
    // Timers that a long computation held up come before the answers that arrived meanwhile; an
    // immediate comes after them, so that no client is cut off for our own silence.
    const every = (ms: number, act: (client: StreamClient) => void): NodeJS.Timeout =>
      setInterval(() => setImmediate(() => this.#each(act)), ms).unref();
    this.#timers = [
      every(limits.heartbeatMs, (client) => client.heartbeat()),
      every(limits.pingMs, (client) => client.ping()),
      every(Math.min(paceMs, limits.stalledMsMax), (client) => client.checkPace()),
    ];
    this.#forgetHistory = options.history.onRecorded(() => this.#each((client) => client.wake()));
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Takes an authorised handshake. Null: it is a client now; else why not. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Problem | null {
    const offered = offeredProtocols(request);
    const chosen = protocols.find((name) => offered.includes(name));
    // None at all is taken for ours; an offer that is answered with nothing makes clients give up.
    const hasOffer = request.headers['sec-websocket-protocol'] !== undefined;
    if (hasOffer && chosen === undefined) {
      return { code: 'subprotocol-required', detail: `offer ${protocols.join(' or ')}` };
    }
    const address = request.socket.remoteAddress ?? '';
    const since = new URL(request.url ?? '/', 'ws://localhost').searchParams.get('since');
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#welcome(webSocket, { address, isLaika: chosen !== 'cloudevents.json', since });
    });
    return null;
  }

  /** Tells all clients to come back later; those that do not answer are cut off by `terminate`. */
  close(): void {
    this.#forgetHistory();
    for (const timer of this.#timers) clearInterval(timer);
    this.#each((client) => client.close(1001, 'the watcher stops'));
  }

  terminate(): void {
    this.#each((client) => client.terminate());
  }

  #welcome(
    socket: WebSocket,
    from: { readonly address: string; readonly isLaika: boolean; readonly since: string | null },
  ): void {
    const { limits, version, runs, log } = this.#options;
    // An error event without a listener would end the process; `close` follows it.
    socket.on('error', (error) => log(`client: ${error.message}`));
    if (this.#isTaken(from.address)) {
      socket.close(1013, 'all places are taken');
      setTimeout(() => socket.terminate(), limits.terminateMs).unref();
      return;
    }
    const client = new StreamClient({ ...this.#options, socket, isLaika: from.isLaika });
    this.#clients.set(client, from.address);
    socket.on('message', (data, isBinary) => client.onMessage(textOf(data), isBinary));
    socket.on('pong', () => client.onPong());
    socket.on('close', () => {
      client.forget();
      this.#clients.delete(client);
    });
    client.greet({ version, runs }, from.since ?? 'now');
  }

  #isTaken(address: string): boolean {
    const { clients, clientsPerAddress } = this.#options.limits;
    if (this.#clients.size >= clients) return true;
    const neighbours = [...this.#clients.values()].filter((other) => other === address);
    return !isThisMachine(address) && neighbours.length >= clientsPerAddress;
  }

  #each(act: (client: StreamClient) => void): void {
    for (const client of this.#clients.keys()) act(client);
  }
}

/** Refuses before the handshake: a close code could not be seen yet. */
export function refuse(socket: Duplex, problem: Problem): void {
  const { status, headers, body } = problemResponse(problem, randomUUID());
  const lines = Object.entries({
    ...headers,
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function isThisMachine(address: string): boolean {
  return isIP(address) === 0 || /^(::ffff:)?127\.|^::1$/.test(address);
}

function textOf(data: RawData): string {
  return Array.isArray(data) ? Buffer.concat(data).toString('utf8') : data.toString('utf8');
}
