/** `laika tail` from its flags. */
import { invalid } from './flags.ts';
import { stateFolder } from './state-folder.ts';
import { tailCommand } from './tail.ts';

export interface TailFlags {
  readonly since: string;
  readonly once?: boolean;
  readonly output?: string;
  readonly stateDir?: string;
}

/** Prints events until a signal, or the backlog alone; returns the exit code. */
export function runTail(url: string | undefined, flags: TailFlags): Promise<number> {
  const output = flags.output ?? 'text';
  if (output !== 'text' && output !== 'ndjson') {
    throw invalid('tail prints text or ndjson', `--output ${output}`, 'use --output ndjson');
  }
  return tailCommand({
    ...(url === undefined ? {} : { url }),
    stateDir: stateFolder(flags.stateDir),
    since: flags.since,
    once: flags.once === true,
    output,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
  });
}
