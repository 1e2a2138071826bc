/** What a refusal looks like to a program: RFC 9457, and one code for each reason. */

export type ProblemCode =
  | 'host-not-allowed'
  | 'origin-not-allowed'
  | 'token-required'
  | 'token-wrong'
  | 'too-many-failures'
  | 'not-found'
  | 'method-not-allowed'
  | 'subprotocol-required'
  | 'upgrade-required'
  | 'since-invalid'
  | 'limit-invalid'
  | 'too-many-clients'
  | 'stopping'
  | 'internal';

interface Kind {
  readonly status: number;
  readonly title: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const kinds: Readonly<Record<ProblemCode, Kind>> = {
  'host-not-allowed': { status: 403, title: 'This host name is not served here' },
  'origin-not-allowed': { status: 403, title: 'Pages of this origin may not connect' },
  'token-required': {
    status: 401,
    title: 'A token is needed',
    headers: { 'WWW-Authenticate': 'Bearer' },
  },
  'token-wrong': {
    status: 401,
    title: 'The token is wrong',
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  },
  'too-many-failures': {
    status: 429,
    title: 'Too many wrong tokens from this address',
    headers: { 'Retry-After': '60' },
  },
  'not-found': { status: 404, title: 'Nothing is here' },
  'method-not-allowed': {
    status: 405,
    title: 'Only GET and HEAD are answered',
    headers: { Allow: 'GET, HEAD' },
  },
  'subprotocol-required': { status: 400, title: 'No subprotocol was offered that is spoken here' },
  'upgrade-required': {
    status: 426,
    title: 'This is a WebSocket',
    headers: { Upgrade: 'websocket' },
  },
  'since-invalid': { status: 400, title: 'This is no place in the log' },
  'limit-invalid': { status: 400, title: 'This is no number of events' },
  'too-many-clients': {
    status: 503,
    title: 'All places are taken',
    headers: { 'Retry-After': '10' },
  },
  stopping: { status: 503, title: 'The watcher is stopping', headers: { 'Retry-After': '5' } },
  internal: { status: 500, title: 'This is a bug of Laika' },
};

/** Why a request is refused. */
export interface Problem {
  readonly code: ProblemCode;
  /** This occurrence, for people. */
  readonly detail: string;
}

/** A refusal, ready to be sent. */
export interface ProblemResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `requestId` becomes the problem's `instance`. */
export function problemResponse(problem: Problem, requestId: string): ProblemResponse {
  const { status, title, headers } = kinds[problem.code];
  const { code, detail } = problem;
  const type = `urn:laika:problem:${code}`;
  const body = { type, title, status, detail, instance: `urn:uuid:${requestId}`, code };
  return {
    status,
    headers: {
      ...headers,
      'Content-Type': 'application/problem+json',
      ...commonHeaders(requestId),
    },
    body: JSON.stringify(body),
  };
}

/** On every response: nothing is cached, nothing is guessed. */
export function commonHeaders(requestId: string): Readonly<Record<string, string>> {
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
  };
}
