/** `laika inspect`: every tensor of a checkpoint with its statistics. */
import { renderInspection } from '../report/inspect-text.ts';
import type { RawFlags } from './flags.ts';
import { judgeWithFlags } from './judge-with-flags.ts';

/** Prints the listing; a verdict is not its business, so only what cannot be read is an error. */
export function inspectCommand(path: string, flags: RawFlags): Promise<number> {
  const listing = { listTensors: true, text: renderInspection };
  return judgeWithFlags(flags, listing, async () => ({ head: path, base: null }));
}
