/** The same log as server-sent events, through the same pump. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../history/clock.ts';
import type { History } from '../history/history.ts';
import { cursorText, type Gap, type Start } from './cursor.ts';
import type { EventText } from './event-text.ts';
import type { StreamLimits } from './limits.ts';
import { Pump } from './pump.ts';

/** What a stream of server-sent events works with. */
export interface SseOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly events: EventText;
  readonly log: (line: string) => void;
}

/** How soon a browser connects again, in ms. */
const retryMs = 2000;

/** Streams into `response`, whose headers are sent, until it is closed. */
export function streamEvents(response: ServerResponse, start: Start, options: SseOptions): void {
  const { history, clock, limits, events, log } = options;
  const tellGap = (gap: Gap): void => {
    response.write(`event: gap\ndata: ${JSON.stringify(gap)}\n\n`);
  };
  const pump = new Pump({
    history,
    limits,
    now: () => clock.elapsed(),
    render: (event) => `id: ${cursorText(history, event.seq)}\ndata: ${events.of(event)}\n\n`,
    onGap: tellGap,
    onFault: (error) => {
      log(`sse: ${error instanceof Error ? error.message : String(error)}`);
      response.destroy();
    },
    sink: {
      bufferedBytes: () => response.writableLength,
      send: (text, sent) => response.write(text, () => sent()),
    },
  });
  const forget = history.onRecorded(() => pump.wake());
  const beat = setInterval(() => pump.isFull || response.write(':\n\n'), limits.heartbeatMs);
  const pace = setInterval(
    () => {
      pump.wake();
      if (pump.slowness() !== null) response.destroy();
    },
    Math.min(1000, limits.stalledMsMax),
  );
  for (const timer of [beat, pace]) timer.unref();
  response.on('close', () => {
    pump.stop();
    forget();
    clearInterval(beat);
    clearInterval(pace);
  });
  response.write(`retry: ${retryMs}\n\n`);
  if (start.gap) tellGap(start.gap);
  pump.start(start.seq, {});
}
