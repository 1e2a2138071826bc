/** `laika postmortem RUN`: what happened to a run, from what is left of it. */
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import type { Engine } from '../engines/engine.ts';
import { findCheckpoints } from '../formats/find-checkpoints.ts';
import { postmortemDocument } from '../postmortem/postmortem.ts';
import { type JudgePair, walkRun } from '../postmortem/walk.ts';
import { renderPostmortem } from '../report/postmortem-text.ts';
import { emptyRunMemory, type RunMemory } from '../suspicions/run-memory.ts';
import { errorDocument } from '../verdict/document.ts';
import { judge } from '../verdict/judge.ts';
import { applyConfig } from './config.ts';
import { exitCode, failsOn } from './exit-code.ts';
import { exitPolicy, outputsOf, type RawFlags, refuseUnbuilt } from './flags.ts';
import { againCommand, engineOf, scanOptions } from './judge-with-flags.ts';
import { writeResult } from './output.ts';

/**
 * A checkpoint that cannot be judged is walked past, and says so. Each teaches the run's memory once,
 * when it is first met; pairs judged again to tell who is bad do not.
 */
function judgeWith(engine: Engine, flags: RawFlags): JudgePair {
  const met = new Set<string>();
  let memory = emptyRunMemory();
  return async (head, base) => {
    const isNew = !met.has(head);
    met.add(head);
    const remembered = isNew
      ? {
          memory,
          onMemory: (after: RunMemory) => {
            memory = after;
          },
        }
      : {};
    const next = againCommand({ head, base }, flags);
    try {
      const options = await scanOptions(flags, head);
      return await judge({ head, base, options, engine, next, ...remembered });
    } catch (error) {
      if (isLaikaError(error)) return errorDocument(error.details);
      throw error;
    }
  };
}

async function checkpointsOf(run: string): Promise<string[]> {
  const found = await findCheckpoints(run);
  if (found.length > 0) return found.map(({ path }) => path);
  throw new LaikaError({
    code: 'no-checkpoints',
    what: 'no checkpoint is left in this folder',
    where: run,
    next: 'name the folder that the run wrote its checkpoints to',
  });
}

/** Prints the walk; exits 1 where the run holds damage, like validate. */
export async function postmortemCommand(run: string, given: RawFlags): Promise<number> {
  const flags = applyConfig(given);
  refuseUnbuilt(flags);
  const policy = exitPolicy(flags);
  const outputs = outputsOf(flags);
  const engine = await engineOf(flags);
  try {
    const walk = await walkRun(await checkpointsOf(run), judgeWith(engine, flags));
    const result = postmortemDocument(walk);
    writeResult(result, outputs, { fails: failsOn(policy), text: renderPostmortem });
    return exitCode(result, policy);
  } finally {
    await engine.close();
  }
}
