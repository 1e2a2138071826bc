/** The HTTP server of a watcher: health, state, pages of the log, and the two streams. */
import { createServer, type Server } from 'node:http';
import type { Clock } from '../history/clock.ts';
import type { History } from '../history/history.ts';
import type { HealthCheck } from '../watch/watcher.ts';
import { EventText } from './event-text.ts';
import { FailedTokens } from './failed-tokens.ts';
import { defaultLimits, type StreamLimits } from './limits.ts';
import { type ListenAt, listen } from './listen.ts';
import { checkUpgrade, type Serving, serve, streamPath } from './requests.ts';
import { refuse, Stream } from './stream.ts';

/** What a server works with. */
export interface ServerOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly token: string;
  readonly runs: readonly string[];
  readonly version: string;
  /** Name of this machine, for the `source` of events. */
  readonly host: string;
  readonly listen: ListenAt;
  /** More host names by which clients may call this server. */
  readonly hosts?: readonly string[];
  readonly limits?: Partial<StreamLimits>;
  readonly health: () => readonly HealthCheck[];
  readonly log: (line: string) => void;
}

/** A server that accepts connections. */
export interface RunningServer {
  /** Address of the WebSocket stream. */
  readonly url: string;
  /** Tells the clients, waits a second for them, and frees the address. */
  close(): Promise<void>;
}

const closeMs = 1000;

/** @throws LaikaError `connection-failed` when the address cannot be had. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const state = { isStopping: false };
  const origins = new Set<string>();
  const serving = makeServing(options, { origins, isStopping: () => state.isStopping });
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 });
  server.maxConnections = 512;
  server.on('request', (request, response) => serve(serving, request, response));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const problem = checkUpgrade(serving, request) ?? serving.stream.accept(request, socket, head);
    if (problem) refuse(socket, problem);
  });
  const { url, port } = await listen(server, options.listen).catch((error) => {
    serving.stream.close();
    throw error;
  });
  server.on('error', (error) => options.log(`server: ${error.message}`));
  for (const name of port === null ? [] : serving.access.hosts) {
    origins.add(`http://${name}:${port}`);
  }
  return {
    url: `${url}${streamPath}`,
    close: () => {
      state.isStopping = true;
      return stop(server, serving);
    },
  };
}

function makeServing(
  options: ServerOptions,
  state: { readonly origins: Set<string>; readonly isStopping: () => boolean },
): Serving {
  const { history, clock, runs, version, host, health, log } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const events = new EventText({ epoch: history.epoch, host });
  const own = 'host' in options.listen ? [options.listen.host] : [];
  const names = ['localhost', '127.0.0.1', '[::1]', host, ...own, ...(options.hosts ?? [])];
  return {
    limits,
    log,
    access: {
      token: options.token,
      hosts: new Set(names.map((name) => name.toLowerCase())),
      origins: state.origins,
      failures: new FailedTokens(),
      now: () => clock.elapsed(),
    },
    routes: { history, runs, events, health, isStopping: state.isStopping },
    stream: new Stream({ history, clock, limits, events, version, runs, log }),
    sse: { history, clock, limits, events, log },
    responses: new Set(),
  };
}

async function stop(server: Server, { stream, responses }: Serving): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  stream.close();
  for (const response of responses) response.end();
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    stream.terminate();
    server.closeAllConnections();
  }, closeMs);
  await closed;
  clearTimeout(timer);
}
