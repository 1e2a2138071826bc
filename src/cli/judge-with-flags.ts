/** From flags to a printed result: what `validate` and `inspect` share. */
import { readFileSync } from 'node:fs';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { type EngineOptions, openEngine } from '../engines/choose.ts';
import type { Engine } from '../engines/engine.ts';
import { parseNames } from '../formats/parameter-names.ts';
import { findLogs } from '../logs/find-logs.ts';
import { readLogs } from '../logs/read-logs.ts';
import type { ScanOptions } from '../scan/options.ts';
import { bytesAt } from '../sources/local.ts';
import { storageError } from '../sources/storage-error.ts';
import { errorDocument } from '../verdict/document.ts';
import { judge } from '../verdict/judge.ts';
import { judgeReplicas } from '../verdict/judge-replicas.ts';
import type { EnginePart, Result } from '../verdict/result.ts';
import { applyConfig } from './config.ts';
import { exitCode, failsOn, unmetDemands } from './exit-code.ts';
import {
  engineOptions,
  exitPolicy,
  outputsOf,
  parseOptimizer,
  positive,
  type RawFlags,
} from './flags.ts';
import { throwUnlessAsked, writeResult } from './output.ts';
import { showProgress } from './progress.ts';
import { shellCommand } from './shell-words.ts';

export interface Checked {
  readonly head: string;
  readonly base: string | null;
  /** Copies of the same step by other ranks: compared instead of judged. */
  readonly replicas?: readonly string[];
  /** What the run folder around the head says. */
  readonly problems?: readonly Problem[];
}

export interface Listing {
  readonly listTensors: boolean;
  readonly text?: (result: Result) => string;
}

/** What the flags tell about the run; the log is found beside the checkpoint where none is named. */
export async function scanOptions(flags: RawFlags, head: string): Promise<ScanOptions> {
  const told = await toldOptions(flags);
  return flags.log ? told : { ...told, log: (await findLogs(head)).log };
}

/**
 * What the flags alone tell. A command that judges many checkpoints asks once before the first: a flag
 * that is wrong is a fault of the call, not of each checkpoint.
 * @throws LaikaError `arguments-invalid`, or what is wrong with a file that a flag names.
 */
export async function toldOptions(flags: RawFlags): Promise<ScanOptions> {
  return {
    ...(flags.log ? { log: await readLogs(flags.log) } : {}),
    ...(flags.optimizer === undefined ? {} : { optimizer: parseOptimizer(flags.optimizer) }),
    ...(flags.lrMax === undefined ? {} : { lrMax: positive(flags.lrMax, '--lr-max') }),
    ...(flags.clipNorm === undefined ? {} : { clipNorm: positive(flags.clipNorm, '--clip-norm') }),
    ...(flags.digest === true ? { digest: true } : {}),
    ...(flags.names === undefined ? {} : { names: readNames(flags.names) }),
  };
}

/** @throws LaikaError for a file that cannot be read or is no such list. */
function readNames(from: string): NonNullable<ScanOptions['names']> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(from);
  } catch (error) {
    throw storageError(error, from);
  }
  return { names: parseNames(bytes, from), from };
}

/** The command that shows a result again, with what it was told. */
export function againCommand(checked: Checked, flags: RawFlags): string {
  const words = ['laika', 'validate', checked.head];
  if (checked.base !== null) words.push('--base', checked.base);
  if (checked.replicas) words.push('--replicas', ...checked.replicas);
  if (flags.optimizer !== undefined) words.push('--optimizer', flags.optimizer);
  if (flags.lrMax !== undefined) words.push('--lr-max', flags.lrMax);
  if (flags.names !== undefined) words.push('--names', flags.names);
  for (const log of flags.log ?? []) words.push('--log', log);
  return shellCommand(words);
}

const engineNames = ['auto', 'wasm', 'reference', 'tensorflow', 'cuda'] as const;

/** @throws LaikaError for a name that is none, or an engine that is not here. */
export function engineOf(flags: RawFlags, options: EngineOptions = {}): Promise<Engine> {
  const name = engineNames.find((each) => each === (flags.engine ?? 'auto'));
  if (name) return openEngine(name, { ...options, ...engineOptions(flags) });
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'no such engine',
    where: `--engine ${flags.engine}`,
    next: `use one of ${engineNames.join(', ')}`,
  });
}

function enginePart(engine: Engine, result: Result, seconds: number): EnginePart {
  const { name, device, threads = 1, warning } = engine;
  const bytes = result.coverage?.bytes_read ?? 0;
  return { name, device, threads, bytes, seconds, ...(warning ? { warning } : {}) };
}

async function judged(flags: RawFlags, listing: Listing, checked: Checked): Promise<Result> {
  const paths = [checked.head, checked.base ?? [], checked.replicas ?? []].flat();
  const expectedBytes = paths.reduce((sum, path) => sum + bytesAt(path), 0);
  const engine = await engineOf(flags, { expectedBytes });
  const progress = showProgress(process.stderr);
  try {
    const options = { ...(await scanOptions(flags, checked.head)), onBytes: progress.update };
    const next = againCommand(checked, flags);
    const { listTensors } = listing;
    const { head, base, replicas, problems = [] } = checked;
    const result = replicas
      ? await judgeReplicas([head, ...replicas], engine, next)
      : await judge({ head, base, options, engine, next, listTensors, problems });
    return flags.reproducible
      ? result
      : { ...result, engine: enginePart(engine, result, progress.seconds()) };
  } finally {
    progress.clear();
    await engine.close();
  }
}

/** Errors about the input become the document's `error`; anything else is our own. */
async function documentOf(
  flags: RawFlags,
  listing: Listing,
  choose: () => Promise<Checked>,
): Promise<Result> {
  try {
    return await judged(flags, listing, await choose());
  } catch (error) {
    if (isLaikaError(error)) return errorDocument(error.details);
    throw error;
  }
}

/** Judges what `choose` names and prints it; returns the exit code. */
export async function judgeWithFlags(
  given: RawFlags,
  listing: Listing,
  choose: () => Promise<Checked>,
): Promise<number> {
  const flags = applyConfig(given);
  const policy = exitPolicy(flags);
  const outputs = outputsOf(flags);
  const result = await documentOf(flags, listing, choose);
  throwUnlessAsked(result, outputs);
  writeResult(result, outputs, {
    fails: failsOn(policy),
    ...(listing.text ? { text: listing.text } : {}),
  });
  for (const demand of unmetDemands(result, policy)) process.stderr.write(`laika: ${demand}\n`);
  return exitCode(result, policy);
}
