/** `laika watch` from its flags: hands the watcher what finds checkpoints and what judges them. */
import { findCheckpoints } from '../formats/find-checkpoints.ts';
import { LedgerFolder } from '../history/ledger-folder.ts';
import { memoryFromJson, memoryToJson } from '../suspicions/memory-json.ts';
import { emptyRunMemory } from '../suspicions/run-memory.ts';
import { judge } from '../verdict/judge.ts';
import type { JudgeRequest } from '../watch/candidate.ts';
import { applyConfig } from './config.ts';
import { exitPolicy, invalid, pauseSeconds, type RawFlags } from './flags.ts';
import { againCommand, engineOf, scanOptions, toldOptions } from './judge-with-flags.ts';
import { stateFolder } from './state-folder.ts';
import { watchCommand } from './watch.ts';

export interface WatchFlags extends RawFlags {
  readonly interval?: string;
  readonly once?: boolean;
  readonly listen?: string;
  readonly socket?: string;
}

function outputOf(flags: WatchFlags): 'text' | 'ndjson' {
  const [output = 'text', ...more] = flags.output ?? [];
  if ((output === 'text' || output === 'ndjson') && more.length === 0) return output;
  throw invalid('watch prints text or ndjson', `--output ${output}`, 'use --output ndjson');
}

/** Runs until a signal, or once; returns the exit code. */
export async function runWatch(runs: readonly string[], given: WatchFlags): Promise<number> {
  const flags: WatchFlags = applyConfig(given);
  const output = outputOf(flags);
  const policy = exitPolicy(flags);
  const intervalSeconds = pauseSeconds(flags.interval ?? '5');
  // Later each checkpoint would be recorded as one that cannot be judged, and not be judged again.
  await toldOptions(flags);
  const engine = await engineOf(flags, { polite: true });
  let warned = false;
  const warn = () => {
    if (!engine.warning || warned) return;
    warned = true;
    process.stderr.write(`laika: ${engine.warning}\n`);
  };
  const stateDir = stateFolder(flags.stateDir);
  try {
    return await watchCommand({
      runs,
      intervalSeconds,
      once: flags.once === true,
      ...(flags.listen === undefined ? {} : { listen: flags.listen }),
      ...(flags.socket === undefined ? {} : { socket: flags.socket }),
      stateDir,
      policy,
      output,
      discover: findCheckpoints,
      judge: async (request: JudgeRequest) => {
        const { run, path, base, memory, onMemory, pathOfStep, signal } = request;
        const before = memory === null ? emptyRunMemory() : memoryFromJson(memory);
        const options = { ...(await scanOptions(flags, path)), signal };
        const next = againCommand({ head: path, base }, flags);
        const result = await judge({
          ...{ head: path, base, options, engine, next },
          memory: before,
          reference: before.step === null ? null : pathOfStep(before.step),
          onMemory: (after) => onMemory(memoryToJson(after)),
          ledgers: new LedgerFolder(stateDir, run),
        });
        warn();
        return result;
      },
      stdout: (text) => process.stdout.write(text),
      stderr: (text) => process.stderr.write(text),
    });
  } finally {
    await engine.close();
  }
}
