/** `laika validate`: one checkpoint, a pair, or the newest of a run against the last trusted one. */
import { invalid, type RawFlags } from './flags.ts';
import { judgeWithFlags } from './judge-with-flags.ts';
import { chooseBase } from './run-base.ts';

export interface ValidateFlags extends RawFlags {
  readonly base?: string;
  readonly replicas?: readonly string[];
}

/** Prints the result in every form that was asked for; returns the exit code. */
export async function validateCommand(path: string, flags: ValidateFlags): Promise<number> {
  return judgeWithFlags(flags, { listTensors: false }, async () => {
    const { replicas } = flags;
    if (replicas && flags.base !== undefined) {
      throw invalid(
        'copies are compared with each other, not with a base',
        '--base',
        'give one of both',
      );
    }
    if (replicas) return { head: path, base: null, replicas };
    if (flags.base !== undefined) return { head: path, base: flags.base };
    return (await chooseBase(path, flags.stateDir)) ?? { head: path, base: null };
  });
}
