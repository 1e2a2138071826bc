/** Which events a reader asked for. A part that is absent asks for all. */

import type { Severity } from '../verdict/result.ts';
import type { StoredEvent } from './event.ts';

export interface EventFilter {
  /** Runs as `hello` names them; events of the watcher itself always pass. */
  readonly runs?: readonly string[];
  readonly types?: readonly string[];
  readonly severities?: readonly Severity[];
}

/** Does the event meet every part of the filter? */
export function passesFilter(event: StoredEvent, filter: EventFilter): boolean {
  if (filter.runs && event.run !== null && !filter.runs.includes(event.run)) return false;
  if (filter.types && !filter.types.includes(event.type)) return false;
  return !filter.severities || filter.severities.includes(event.severity);
}
