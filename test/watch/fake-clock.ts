/** A clock that stands still until a test moves it; sleeping moves it. */
import type { Clock } from '../../src/history/clock.ts';

export interface FakeClock extends Clock {
  advance(ms: number): void;
  /** Every `sleep` so far, in ms. */
  readonly slept: number[];
}

export function fakeClock(startMs = Date.UTC(2026, 10, 21, 12)): FakeClock {
  let passedMs = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => startMs + passedMs,
    elapsed: () => passedMs,
    advance: (ms) => {
      passedMs += ms;
    },
    sleep: async (ms) => {
      slept.push(ms);
      passedMs += ms;
    },
  };
}
