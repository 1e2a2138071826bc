/** The first SIGTERM or SIGINT asks for a clean end, the second one does not wait for it. */

const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/** Aborts at the first signal, or when it is asked to. */
export interface StopSignals {
  readonly signal: AbortSignal;
  /** As the first signal does. */
  ask(): void;
  /** 128 and the number of the signal that came; what was cut short ends with it. */
  exitCode(): number;
  /** Gives the signals back to Node. */
  forget(): void;
}

/** Takes SIGTERM and SIGINT until it is told to forget them. */
export function listenForStop(): StopSignals {
  const controller = new AbortController();
  let code = 128 + numbers.SIGINT;
  const stop = (name: NodeJS.Signals): void => {
    code = 128 + numbers[name as keyof typeof numbers];
    if (controller.signal.aborted) process.exit(code);
    controller.abort();
  };
  const names = Object.keys(numbers);
  for (const name of names) process.on(name, stop);
  return {
    signal: controller.signal,
    ask: () => controller.abort(),
    exitCode: () => code,
    forget: () => {
      for (const name of names) process.off(name, stop);
    },
  };
}
