/** Time, handed in. Edge folders make the real one, tests make their own. */
export interface Clock {
  /** Milliseconds since 1970 in UTC; may jump. For what people read. */
  now(): number;
  /** Milliseconds that never run backwards. For durations. */
  elapsed(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** RFC 3339 in UTC with milliseconds: `2026-11-21T16:53:00.123Z`. */
export function timestamp(clock: Pick<Clock, 'now'>): string {
  return new Date(clock.now()).toISOString();
}
