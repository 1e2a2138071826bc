/** `laika postmortem RUN`: what happened to a run, from what is left of it. */
import { existsSync } from 'node:fs';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import type { Engine } from '../engines/engine.ts';
import { findCheckpoints } from '../formats/find-checkpoints.ts';
import { recognise } from '../formats/recognise.ts';
import { sight } from '../formats/sighting.ts';
import { History } from '../history/history.ts';
import { databasePath } from '../history/state-folder.ts';
import { postmortemDocument } from '../postmortem/postmortem.ts';
import { type JudgePair, type Stop, type Walked, walkRun } from '../postmortem/walk.ts';
import { MemoryLedgers } from '../records/ledger.ts';
import { renderPostmortem } from '../report/postmortem-text.ts';
import { openPath } from '../sources/open-path.ts';
import { absolutePath } from '../sources/source-path.ts';
import { emptyRunMemory, type RunMemory } from '../suspicions/run-memory.ts';
import { errorDocument, header } from '../verdict/document.ts';
import { judge } from '../verdict/judge.ts';
import type { Result } from '../verdict/result.ts';
import { systemClock } from '../watch/system-clock.ts';
import { applyConfig } from './config.ts';
import { type ExitPolicy, exitCode, failsOn, unmetDemands } from './exit-code.ts';
import { exitPolicy, outputsOf, type RawFlags } from './flags.ts';
import { againCommand, engineOf, scanOptions, toldOptions } from './judge-with-flags.ts';
import { throwUnlessAsked, writeResult } from './output.ts';
import { shellCommand } from './shell-words.ts';
import { stateFolder } from './state-folder.ts';

/**
 * A checkpoint that cannot be judged is walked past, and says so. Each teaches the run's memory once,
 * when it is first met; pairs judged again to tell who is bad do not.
 */
function judgeWith(engine: Engine, flags: RawFlags): JudgePair {
  const met = new Set<string>();
  const places = new Map<number, string>();
  const ledgers = new MemoryLedgers();
  let memory = emptyRunMemory();
  return async (head, base) => {
    const isNew = !met.has(head);
    met.add(head);
    const remembered = isNew
      ? {
          memory,
          reference: memory.step === null ? null : (places.get(memory.step) ?? null),
          onMemory: (after: RunMemory) => {
            memory = after;
          },
        }
      : {};
    const next = againCommand({ head, base }, flags);
    try {
      const options = await scanOptions(flags, head);
      const result = await judge({ head, base, options, engine, next, ledgers, ...remembered });
      const step = result.checkpoint?.step ?? null;
      if (step !== null) places.set(step, head);
      return result;
    } catch (error) {
      if (isLaikaError(error)) return errorDocument(error.details);
      throw error;
    }
  };
}

/** Checkpoints that a watcher judged and that are gone by now, with what it said of them. */
function remembered(
  run: string,
  state: string,
  there: ReadonlySet<string>,
): (Walked & { position: number })[] {
  if (!existsSync(databasePath(state))) return [];
  const history = History.open(state, { clock: systemClock, readOnly: true });
  try {
    const name = absolutePath(run);
    return history.checkpoints(name).flatMap((row) => {
      if (there.has(row.identity)) return [];
      const text = history.resultJson(name, row.identity);
      const stored = text === null ? null : (JSON.parse(text) as Result);
      const result = stored ?? { ...header(), verdict: row.verdict, findings: [] };
      const { path, step, position } = row;
      const base = stored?.base?.path ?? null;
      return [{ path, step, base, result, isGone: true, position: position ?? Infinity }];
    });
  } finally {
    history.close();
  }
}

async function nothingToWalk(run: string): Promise<LaikaError> {
  const code = 'no-checkpoints';
  if (await isCheckpointItself(run)) {
    const next = `name the folder it lies in, or ${shellCommand(['laika', 'validate', run])}`;
    return new LaikaError({ code, what: 'this is one checkpoint, not a run', where: run, next });
  }
  return new LaikaError({
    code,
    what: 'no checkpoint is left here, and none is remembered',
    where: run,
    next: 'name the folder that the run wrote its checkpoints to',
  });
}

async function isCheckpointItself(path: string): Promise<boolean> {
  const source = await openPath(path);
  try {
    return recognise(await sight(source)) !== null;
  } finally {
    await source.close();
  }
}

/** What is there and what is remembered, in the run's order. */
async function stopsOf(run: string, state: string): Promise<Stop[]> {
  const found = await findCheckpoints(run);
  const gone = remembered(run, state, new Set(found.map(({ identity }) => identity)));
  if (found.length + gone.length === 0) throw await nothingToWalk(run);
  const all = [
    ...found.map(({ path, stepHint }) => ({ stop: path as Stop, at: stepHint ?? Infinity })),
    ...gone.map(({ position, ...walked }) => ({
      stop: { remembered: walked } as Stop,
      at: position,
    })),
  ];
  return all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ stop }) => stop);
}

async function documentOf(run: string, flags: RawFlags): Promise<Result> {
  try {
    await toldOptions(flags);
    const stops = await stopsOf(run, stateFolder(flags.stateDir));
    const engine = await engineOf(flags);
    try {
      return postmortemDocument(await walkRun(stops, judgeWith(engine, flags)));
    } finally {
      await engine.close();
    }
  } catch (error) {
    if (isLaikaError(error)) return errorDocument(error.details);
    throw error;
  }
}

/** Damage wins; else a walk that could not look at everything is one that could not check. */
function walkedCode(result: Result, policy: ExitPolicy): number {
  const code = exitCode(result, policy);
  if (code === 1 || policy.exitZero) return code;
  return result.postmortem?.walked.some(({ error }) => error) ? 2 : code;
}

/** Prints the walk; exits 1 where the run holds damage, like validate. */
export async function postmortemCommand(run: string, given: RawFlags): Promise<number> {
  const flags = applyConfig(given);
  const policy = exitPolicy(flags);
  const outputs = outputsOf(flags);
  const result = await documentOf(run, flags);
  throwUnlessAsked(result, outputs);
  writeResult(result, outputs, { fails: failsOn(policy), text: renderPostmortem });
  for (const demand of unmetDemands(result, policy)) process.stderr.write(`laika: ${demand}\n`);
  return walkedCode(result, policy);
}
