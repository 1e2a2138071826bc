/** A real server on a free port of loopback, and real clients for it. */
import { type IncomingMessage, request } from 'node:http';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import type { NewEvent } from '../../src/history/event.ts';
import { History } from '../../src/history/history.ts';
import type { ReceivedEvent } from '../../src/server/follow.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/server.ts';
import { systemClock } from '../../src/watch/system-clock.ts';
import { tempFolder } from '../history/temp-folder.ts';

export const token = 'T'.repeat(43);

export interface Bench {
  readonly history: History;
  readonly server: RunningServer;
  readonly url: string;
  /** `http://127.0.0.1:PORT` */
  readonly http: string;
  readonly logged: string[];
}

export async function serve(
  options: Partial<ServerOptions> & { readonly history?: History } = {},
): Promise<Bench> {
  const history = options.history ?? History.open(tempFolder(), { clock: systemClock });
  const logged: string[] = [];
  const server = await startServer({
    ...{ history, token, clock: systemClock, runs: ['/run'], version: '1.2.3', host: 'node-3' },
    listen: { host: '127.0.0.1', port: 0 },
    health: () => [{ name: 'store', ok: true }],
    log: (line) => logged.push(line),
    ...options,
  });
  onTestFinished(async () => {
    await server.close();
    history.close();
  });
  const http = server.url.replace('ws:', 'http:').replace('/v1/stream', '');
  return { history, server, url: server.url, http, logged };
}

export function event(data: unknown = {}, more: Partial<NewEvent> = {}): NewEvent {
  const type = 'dev.laika.checkpoint.seen.v1';
  return { type, run: '/run', subject: '/run/1', severity: 'info', data, ...more };
}

export function record(history: History, count: number, data: unknown = {}): void {
  history.record({ events: Array.from({ length: count }, () => event(data)) });
}

/** A message from the server; those parts are there that belong to its type. */
export interface Message {
  readonly type: string;
  readonly seq: string;
  readonly head: string;
  readonly cursor: string;
  readonly time: string;
  readonly version: string;
  readonly runs: readonly string[];
  readonly code: string;
  readonly specversion: string;
  readonly event: ReceivedEvent;
}

export interface Client {
  readonly socket: WebSocket;
  readonly messages: Message[];
  send(message: unknown): void;
  /** The first message, now or later, that `wanted` accepts. */
  until(wanted: (message: Message) => boolean): Promise<Message>;
  /** Close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Sequence numbers of the events so far. */
  seqs(): number[];
}

export async function connect(
  url: string,
  options: ClientOptions & { readonly protocols?: string[] } = {},
): Promise<Client> {
  const { protocols = ['laika.v1'], ...rest } = options;
  const headers = { Authorization: `Bearer ${token}`, ...rest.headers };
  const socket = new WebSocket(url, protocols, { ...rest, headers });
  onTestFinished(() => socket.terminate());
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    for (const check of waiting) check();
  });
  const closed = new Promise<{ code: number; reason: string }>((done) => {
    socket.on('close', (code, reason) => done({ code, reason: String(reason) }));
  });
  await new Promise<void>((done, fail) => {
    socket.on('open', () => done());
    socket.on('error', fail);
  });
  return {
    ...{ socket, messages, closed },
    send: (message) => socket.send(JSON.stringify(message)),
    until: (wanted) =>
      new Promise((done) => {
        const check = (): void => {
          const found = messages.find(wanted);
          if (found === undefined) return;
          waiting.delete(check);
          done(found);
        };
        waiting.add(check);
        check();
      }),
    seqs: () => messages.filter((one) => one.type === 'event').map((one) => Number(one.event.seq)),
  };
}

/** A client that has its `hello` and is subscribed. */
export async function subscribe(url: string, since: string, filter = {}): Promise<Client> {
  const client = await connect(url);
  await client.until((one) => one.type === 'hello');
  client.send({ type: 'subscribe', since, filter });
  return client;
}

export const isEvent =
  (seq: number) =>
  (message: Message): boolean =>
    message.type === 'event' && message.event.seq === String(seq);

export interface Refusal {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly code: string };
}

/** The HTTP answer to a handshake that is refused. */
export function refusal(
  url: string,
  headers: Record<string, string>,
  protocols: string[] = ['laika.v1'],
): Promise<Refusal> {
  return new Promise((done, fail) => {
    const socket = new WebSocket(url, protocols, { headers });
    socket.on('open', () => fail(new Error('the handshake was accepted')));
    socket.on('error', fail);
    socket.on('unexpected-response', (_request, response) => {
      void readAll(response).then((text) => {
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(text),
        });
      });
    });
  });
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** `fetch` would not let a test choose its `Host`. */
export function get(
  url: string,
  options: { headers?: Record<string, string>; method?: string; token?: string | null } = {},
): Promise<Reply> {
  const given = options.token === undefined ? token : options.token;
  const authorization = given === null ? {} : { Authorization: `Bearer ${given}` };
  return new Promise((done, fail) => {
    const sent = request(
      url,
      { method: options.method ?? 'GET', headers: { ...authorization, ...options.headers } },
      (response) => {
        void readAll(response).then((text) => {
          done({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    sent.on('error', fail);
    sent.end();
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
