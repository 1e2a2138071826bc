/**
 * Metrics as JSON Lines: one object a line. Line n is about the update from step n − 1 to n and has
 * the learning rate that it used. Python's NaN and Infinity are numbers; the last line may be cut.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import { isJsonObject, readStrictJson } from '../formats/strict-json.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { linesOf } from './log-lines.ts';
import { logPlace } from './log-place.ts';
import { lineOf, stepOf } from './metric-names.ts';
import { joinLines, type LogLine } from './training-log.ts';

const lineDepth = 64;

/** Some millions of lines. */
const logBytesMost = 1024 * 1024 * 1024;

/**
 * Lines by step; where a step comes again, as after a resume, what comes last counts.
 * @throws LaikaError `log-invalid` with the line's number, `limit-exceeded`; as `Source.read`.
 */
export async function readMetricsLines(
  source: Source,
  file: SourceFile,
): Promise<Map<number, LogLine>> {
  if (file.sizeBytes > logBytesMost) {
    const what = `The training log has more than ${logBytesMost} bytes`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: logPlace(source, file) });
  }
  const lines = new Map<number, LogLine>();
  for await (const { bytes, number, isEnded } of linesOf(source, file)) {
    const where = `${logPlace(source, file)}: line ${number}`;
    const json = readStrictJson(bytes, { where, maxDepth: lineDepth, allowNonFinite: true });
    const object = json.ok && isJsonObject(json.value) ? json.value : null;
    if (!object) {
      if (!isEnded || isBlank(bytes)) continue;
      const why = json.ok ? 'it is no JSON object' : `${json.message} at byte ${json.offset}`;
      const next = 'give a log with one JSON object a line, or a trainer_state.json';
      const what = 'The training log has a line that cannot be read';
      throw new LaikaError({ code: 'log-invalid', what, where, why, next });
    }
    const step = stepOf(object);
    if (step === null) continue;
    lines.set(step, joinLines(lineOf(object), lines.get(step) ?? null));
  }
  return lines;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
