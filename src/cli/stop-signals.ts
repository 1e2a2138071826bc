/** The first SIGTERM or SIGINT asks for a clean end, the second one does not wait for it. */

const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/** Aborts at the first signal, or when it is asked to. */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** As the first signal does. */
  ask(): void;
  /** Gives the signals back to Node. */
  forget(): void;
}

/** Takes SIGTERM and SIGINT until it is told to forget them. */
export function listenForStop(): StopSignals {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(128 + numbers[name as keyof typeof numbers]);
    controller.abort();
  };
  const names = Object.keys(numbers);
  for (const name of names) process.on(name, stop);
  return {
    signal: controller.signal,
    ask: () => controller.abort(),
    forget: () => {
      for (const name of names) process.off(name, stop);
    },
  };
}
