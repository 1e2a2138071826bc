/** `laika tail` from its flags. */
import { invalid } from './flags.ts';
import { stateFolder } from './state-folder.ts';
import { listenForStop } from './stop-signals.ts';
import { tailCommand } from './tail.ts';

export interface TailFlags {
  readonly since: string;
  readonly once?: boolean;
  readonly output?: string;
  readonly stateDir?: string;
}

/**
 * Prints events until a signal or until nobody reads them, or the backlog alone; returns the exit
 * code. @throws LaikaError `arguments-invalid`; as `tailCommand`.
 */
export async function runTail(url: string | undefined, flags: TailFlags): Promise<number> {
  const output = flags.output ?? 'text';
  if (output !== 'text' && output !== 'ndjson') {
    throw invalid('tail prints text or ndjson', `--output ${output}`, 'use --output ndjson');
  }
  if (!/^(all|now|[0-9a-f]+:\d+)$/.test(flags.since)) {
    throw invalid('no place in the log', `--since ${flags.since}`, 'use all, now or EPOCH:SEQ');
  }
  const stop = listenForStop();
  process.stdout.once('error', stop.ask);
  try {
    return await tailCommand({
      ...(url === undefined ? {} : { url: streamUrl(url) }),
      stateDir: stateFolder(flags.stateDir),
      since: flags.since,
      once: flags.once === true,
      output,
      stdout: (text) => process.stdout.write(text),
      stderr: (text) => process.stderr.write(text),
      signal: stop.signal,
    });
  } finally {
    stop.forget();
  }
}

/** The address as it was given, where a WebSocket can be opened on it. */
function streamUrl(text: string): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : '';
  if (/^(wss?|https?|ws\+unix):$/.test(protocol)) return text;
  throw invalid('not the address of a watcher', text, 'for example ws://127.0.0.1:7474/v1/stream');
}
