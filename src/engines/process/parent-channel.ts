/** The channel from the process of an engine to the one that started it. */
import type { Request } from './messages.ts';
import type { Channel } from './serve-engine.ts';

/** Call once, in a process that was forked; it ends when the other one does. */
export function parentChannel(): Channel {
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches the whole group; Laika decides when its engine ends.
  process.on('SIGINT', () => {});
  return {
    send: (report) => {
      if (process.connected) process.send?.(report);
    },
    onRequest: (take) => {
      process.on('message', (request) => take(request as Request));
    },
  };
}
