/** Lists a run, and tells once for each reason when it cannot be listed. */
import { isLaikaError, type LaikaError } from '../checkpoint/errors.ts';
import type { Clock } from '../history/clock.ts';
import type { NewEvent } from '../history/event.ts';
import type { History } from '../history/history.ts';
import type { Discover } from './candidate.ts';
import type { RunState } from './run-state.ts';

/** What listing works with. */
export interface ListingOptions {
  readonly history: History;
  readonly discover: Discover;
  readonly clock: Clock;
  /** What a person who looks at the process should read; one line each. */
  readonly log: (line: string) => void;
}

/** Fills `state.listing`, or `state.fault`; returns the failure where it is a LaikaError. */
export async function listRun(
  state: RunState,
  options: ListingOptions,
): Promise<LaikaError | null> {
  try {
    state.setListing(await options.discover(state.run), options.clock.elapsed());
    return null;
  } catch (error) {
    const detail = messageOf(error);
    if (detail !== state.fault) {
      options.log(`run-unreadable: ${detail}`);
      options.history.record({ events: [degradedEvent(state.run, 'run-unreadable', detail)] });
    }
    state.fault = detail;
    return isLaikaError(error) ? error : null;
  }
}

/** The watch goes on, and something about it is not as it should be. */
export function degradedEvent(
  run: string,
  reason: 'run-unreadable' | 'judge-failed',
  detail: string,
): NewEvent {
  const type = 'dev.laika.watcher.degraded.v1';
  return { type, run, subject: null, severity: 'warning', data: { reason, detail } };
}

/** What a thrown thing says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
