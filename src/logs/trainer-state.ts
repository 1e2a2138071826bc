/** The log inside `trainer_state.json`, as transformers' Trainer keeps it. */
import { LaikaError } from '../checkpoint/errors.ts';
import { isJsonObject, type JsonValue, readStrictJson } from '../formats/strict-json.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { logPlace } from './log-place.ts';
import { lineOf, stepOf } from './metric-names.ts';
import { joinLines, type LogLine } from './training-log.ts';

/** The Trainer's own states are five deep. */
const stateDepth = 64;

const stateBytesMost = 256 * 1024 * 1024;

export interface TrainerLog {
  readonly lines: ReadonlyMap<number, LogLine>;
  /**
   * From 4.51 on (April 2025) transformers logs the rate that the step used, before that the next
   * step's. The file names no version: without `best_global_step`, which came with 4.50, it is old.
   */
  readonly lrIsOfStep: boolean;
  /** As in `TrainingLog`. */
  readonly updateOffsets?: readonly number[];
}

/**
 * Entries by step: a training entry and an evaluation of the same step make one line.
 * @throws LaikaError `log-invalid`, `limit-exceeded` (size, nesting); as `Source.read`.
 */
export async function readTrainerState(source: Source, file: SourceFile): Promise<TrainerLog> {
  const where = logPlace(source, file);
  if (file.sizeBytes > stateBytesMost) {
    const what = `The trainer's state has more than ${stateBytesMost} bytes`;
    throw new LaikaError({ code: 'limit-exceeded', what, where });
  }
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(file.name, 0, bytes);
  const json = readStrictJson(bytes, { where, maxDepth: stateDepth, allowNonFinite: true });
  if (!json.ok) throw invalid(where, `line ${lineAt(bytes, json.offset)}: ${json.message}`);
  const state = isJsonObject(json.value) ? json.value : new Map<string, JsonValue>();
  const history = state.get('log_history');
  if (!Array.isArray(history)) throw invalid(where, 'it has no list called log_history');
  const lines = new Map<number, LogLine>();
  for (const [i, entry] of (history as readonly JsonValue[]).entries()) {
    if (!isJsonObject(entry)) throw invalid(where, `entry ${i} of log_history is no object`);
    const step = stepOf(entry);
    if (step !== null) lines.set(step, joinLines(lineOf(entry), lines.get(step) ?? null));
  }
  return { lines, lrIsOfStep: state.has('best_global_step') };
}

function lineAt(bytes: Uint8Array, offset: number): number {
  let line = 1;
  for (let i = 0; i < offset; i++) if (bytes[i] === 10) line += 1;
  return line;
}

function invalid(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'log-invalid',
    what: 'The training log cannot be read',
    where,
    why,
    next: 'give a log with one JSON object a line, or a trainer_state.json',
  });
}
