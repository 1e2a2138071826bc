/** Progress on a terminal's standard error: bytes and rate, one line that erases itself. */
import { performance } from 'node:perf_hooks';
import { sizeText } from '../report/wording.ts';

export interface Progress {
  readonly update: (bytes: number) => void;
  readonly clear: () => void;
  /** Seconds since it began. */
  readonly seconds: () => number;
}

const everyMs = 200;

/** Silent where `stream` is no terminal. */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  const began = performance.now();
  let shown = 0;
  const seconds = () => (performance.now() - began) / 1000;
  return {
    seconds,
    update: (bytes) => {
      const now = performance.now();
      if (!stream.isTTY || now - shown < everyMs) return;
      shown = now;
      stream.write(`\r\u001b[K${sizeText(bytes)} read, ${sizeText(bytes / seconds())}/s`);
    },
    clear: () => {
      if (stream.isTTY && shown > 0) stream.write('\r\u001b[K');
    },
  };
}
