/**
 * Who may come in: one decision for every HTTP request and every WebSocket handshake. Binding
 * loopback is no protection: a page whose name was rebound to 127.0.0.1 reaches it, but still sends
 * its own name.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { FailedTokens } from './failed-tokens.ts';
import type { Problem } from './problem.ts';

/** What a request must match. */
export interface Access {
  readonly token: string;
  /** Host names that are ours, lower case and without port, beside the address itself. */
  readonly hosts: ReadonlySet<string>;
  /** Origins of pages that may connect, beside the one that the request itself was sent to. */
  readonly origins: ReadonlySet<string>;
  readonly failures: FailedTokens;
  /** Elapsed milliseconds. */
  readonly now: () => number;
}

/** Prefix of the subprotocol that carries the token where no header can be set. */
const bearerProtocol = 'laika.bearer.';

/**
 * Null: the request may pass. The token is taken out of its headers, so that nothing can log it.
 */
export function authorise(
  request: IncomingMessage,
  access: Access,
  needs: { readonly token: boolean },
): Problem | null {
  const tokens = takeTokens(request);
  const host = request.headers.host ?? '';
  if (!isOurs(host, request, access)) {
    return { code: 'host-not-allowed', detail: 'the Host header names another machine' };
  }
  const { origin } = request.headers;
  // No origin: not a browser. A browser sends the page's own, port included, and the true Host.
  const isOwn = origin === `http://${host.toLowerCase()}`;
  if (origin !== undefined && !isOwn && !access.origins.has(origin)) {
    return { code: 'origin-not-allowed', detail: 'the Origin header names another site' };
  }
  if (!needs.token || tokens.some((token) => isSame(token, access.token))) return null;
  if (tokens.length === 0) {
    return {
      code: 'token-required',
      detail: 'send it as Authorization: Bearer, or as subprotocol',
    };
  }
  const address = request.socket.remoteAddress ?? 'socket';
  return access.failures.note(address, access.now())
    ? { code: 'too-many-failures', detail: 'wait a minute' }
    : { code: 'token-wrong', detail: 'it is in the file `token` of the state folder' };
}

/** Subprotocols that were offered, without any that carries a token. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  const offered = request.headers['sec-websocket-protocol'];
  return (offered ?? '').split(',').flatMap((name) => name.trim() || []);
}

function takeTokens(request: IncomingMessage): readonly string[] {
  const { headers } = request;
  const tokens: string[] = [];
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '');
  if (bearer?.[1] !== undefined) tokens.push(bearer[1]);
  const protocols = offeredProtocols(request);
  for (const name of protocols.filter((one) => one.startsWith(bearerProtocol))) {
    tokens.push(Buffer.from(name.slice(bearerProtocol.length), 'base64url').toString('utf8'));
  }
  delete headers.authorization;
  if (headers['sec-websocket-protocol'] !== undefined) {
    const real = protocols.filter((name) => !name.startsWith(bearerProtocol));
    headers['sec-websocket-protocol'] = real.join(', ');
  }
  request.rawHeaders.length = 0;
  return tokens;
}

function isOurs(host: string, request: IncomingMessage, access: Access): boolean {
  // The port is not compared: a forwarded one (ssh -L) is another.
  const parts = /^(\[[0-9a-f:.]+\]|[^:[\]@/\s]+)(?::\d{1,5})?$/i.exec(host);
  if (!parts?.[1]) return false;
  const { localAddress } = request.socket;
  const name = parts[1].toLowerCase();
  if (access.hosts.has(name)) return true;
  // An address cannot be rebound, only a name can: the one that was connected to is ours.
  const address = name.replace(/^\[|\]$/g, '');
  return isIP(address) !== 0 && address === (localAddress ?? '').replace(/^::ffff:/, '');
}

/** Digests are compared, which have one length, so the time says nothing of the token. */
function isSame(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
