/** What clients may say. Few words, each checked before it is believed. */
import type { EventFilter } from '../history/event-filter.ts';
import type { Severity } from '../verdict/result.ts';

/** A message that was checked. */
export type ClientMessage =
  | { readonly type: 'subscribe'; readonly since: string; readonly filter: EventFilter }
  | { readonly type: 'acknowledge'; readonly alert: string; readonly by: string }
  | { readonly type: 'ping' };

/** A message that is JSON and still says nothing we know: answered, not punished. */
export interface MessageFault {
  readonly code: 'type-unknown' | 'since-invalid' | 'filter-invalid' | 'acknowledge-invalid';
  readonly detail: string;
}

/** From mild to grave. */
const severities: readonly string[] = ['info', 'warning', 'error', 'critical'];
const listMax = 256;
const nameBytesMax = 200;

/** Null: not even a JSON object. */
export function parseMessage(text: string): ClientMessage | MessageFault | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const message = value as Readonly<Record<string, unknown>>;
  switch (message.type) {
    case 'subscribe':
      return parseSubscribe(message);
    case 'acknowledge':
      return parseAcknowledge(message);
    case 'ping':
      return { type: 'ping' };
    default:
      return { code: 'type-unknown', detail: 'known types: subscribe, acknowledge, ping' };
  }
}

function parseSubscribe(message: Readonly<Record<string, unknown>>): ClientMessage | MessageFault {
  const { since = 'now', filter = {} } = message;
  if (typeof since !== 'string') return sinceFault;
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) return filterFault;
  const { runs, types, severity } = filter as Readonly<Record<string, unknown>>;
  const wanted = typeof severity === 'string' ? atLeast(severity) : severity;
  for (const list of [runs, types, wanted]) {
    if (list !== undefined && !isTextList(list)) return filterFault;
  }
  const known = new Set<unknown>(severities);
  if ((wanted as string[] | undefined)?.some((one) => !known.has(one))) return filterFault;
  return {
    type: 'subscribe',
    since,
    filter: {
      ...(runs ? { runs: runs as string[] } : {}),
      ...(types ? { types: types as string[] } : {}),
      ...(wanted ? { severities: wanted as Severity[] } : {}),
    },
  };
}

function parseAcknowledge(
  message: Readonly<Record<string, unknown>>,
): ClientMessage | MessageFault {
  const { alert, by = 'unknown' } = message;
  if (isName(alert) && isName(by)) return { type: 'acknowledge', alert, by };
  const detail = `alert and by are texts of at most ${nameBytesMax} bytes`;
  return { code: 'acknowledge-invalid', detail };
}

/** The answer to a place that is none. */
export const sinceFault: MessageFault = {
  code: 'since-invalid',
  detail: 'since is "<epoch>:<seq>", "now" or "all"',
};

const filterFault: MessageFault = {
  code: 'filter-invalid',
  detail: 'filter has runs and types (lists), and severity (a list, or the mildest that is wanted)',
};

/** A single severity asks for it and all that is graver; an unknown one is left for the check. */
function atLeast(severity: string): readonly string[] {
  const from = severities.indexOf(severity);
  return from < 0 ? [severity] : severities.slice(from);
}

function isTextList(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= listMax &&
    value.every((item) => typeof item === 'string')
  );
}

function isName(value: unknown): value is string {
  const isShort = typeof value === 'string' && Buffer.byteLength(value) <= nameBytesMax;
  return isShort && value !== '' && !/\p{Cc}/u.test(value);
}
