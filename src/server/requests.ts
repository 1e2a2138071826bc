/** One HTTP request, or one WebSocket handshake, from its headers to its answer. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Access, authorise } from './authorise.ts';
import { startOf } from './cursor.ts';
import type { StreamLimits } from './limits.ts';
import { commonHeaders, type Problem, problemResponse } from './problem.ts';
import { type Answer, answer, openPaths, type RouteContext } from './routes.ts';
import { type SseOptions, streamEvents } from './sse.ts';
import type { Stream } from './stream.ts';

/** What requests are answered from. */
export interface Serving {
  readonly access: Access;
  readonly routes: RouteContext;
  readonly stream: Stream;
  readonly sse: SseOptions;
  /** Open streams of server-sent events. */
  readonly responses: Set<ServerResponse>;
  readonly limits: StreamLimits;
  readonly log: (line: string) => void;
}

/** Path of the WebSocket stream. */
export const streamPath = '/v1/stream';
const ssePath = '/v1/events/stream';

const stopping: Problem = { code: 'stopping', detail: 'connect again in a moment' };

/** Null: the handshake may go on. */
export function checkUpgrade(serving: Serving, request: IncomingMessage): Problem | null {
  const problem = authorise(request, serving.access, { token: true });
  if (problem) return problem;
  if (urlOf(request).pathname !== streamPath) {
    return { code: 'not-found', detail: `the stream is at ${streamPath}` };
  }
  return serving.routes.isStopping() ? stopping : null;
}

/** Answers; never throws. */
export function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): void {
  const requestId = randomUUID();
  const isHead = request.method === 'HEAD';
  const send = (status: number, headers: Readonly<Record<string, string>>, body: string): void => {
    const length = { 'Content-Length': Buffer.byteLength(body) };
    response.writeHead(status, { ...headers, ...length }).end(isHead ? '' : body);
  };
  const fail = (problem: Problem): void => {
    const { status, headers, body } = problemResponse(problem, requestId);
    send(status, headers, body);
  };
  try {
    const given = respond(serving, request);
    if ('code' in given) fail(given);
    else if ('status' in given) {
      const headers = { 'Content-Type': given.type, ...commonHeaders(requestId) };
      send(given.status, headers, given.body);
    } else {
      openSse(serving, response, { start: given, requestId });
    }
  } catch (error) {
    serving.log(`request ${requestId}: ${error instanceof Error ? error.message : String(error)}`);
    if (response.headersSent) response.destroy();
    else fail({ code: 'internal', detail: `the log line of ${requestId} says more` });
  }
}

type Start = NonNullable<ReturnType<typeof startOf>>;

/** An answer, a refusal, or the place from which events are to be streamed. */
function respond(serving: Serving, request: IncomingMessage): Answer | Problem | Start {
  const url = urlOf(request);
  const needs = { token: !openPaths.has(url.pathname) };
  const problem = authorise(request, serving.access, needs);
  if (problem) return problem;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { code: 'method-not-allowed', detail: `not ${request.method}` };
  }
  if (url.pathname !== ssePath || request.method === 'HEAD') return answer(url, serving.routes);
  const { sse, responses, stream, limits } = serving;
  if (serving.routes.isStopping()) return stopping;
  if (stream.clientCount + responses.size >= limits.clients) {
    return { code: 'too-many-clients', detail: `${limits.clients} are connected` };
  }
  const since = String(request.headers['last-event-id'] ?? url.searchParams.get('since') ?? 'now');
  const detail = 'since is "<epoch>:<seq>", "now" or "all"';
  return startOf(sse.history, since) ?? { code: 'since-invalid', detail };
}

function openSse(
  { sse, responses }: Serving,
  response: ServerResponse,
  what: { readonly start: Start; readonly requestId: string },
): void {
  const type = 'text/event-stream';
  response.writeHead(200, { 'Content-Type': type, ...commonHeaders(what.requestId) });
  responses.add(response);
  response.on('close', () => responses.delete(response));
  streamEvents(response, what.start, sse);
}

/** A target such as `//name` would name a host: only its path and query are read. */
function urlOf(request: IncomingMessage): URL {
  const target = (request.url ?? '/').replace(/^\/+/, '/');
  try {
    return new URL(`http://localhost${target.startsWith('/') ? target : '/'}`);
  } catch {
    return new URL('http://localhost/');
  }
}
