/** Training logs that the user named. */
import { LaikaError } from '../checkpoint/errors.ts';
import { openPath } from '../sources/open-path.ts';
import { readMetricsCsv } from './metrics-csv.ts';
import { readMetricsLines } from './metrics-lines.ts';
import { isEventFile, readEventFiles } from './tensorboard.ts';
import { readTrainerState, type TrainerLog } from './trainer-state.ts';
import { joinLines, type LogLine, type TrainingLog, trainingLog } from './training-log.ts';

/**
 * Reads logs of one run into one; where two say something about a step, the first one counts.
 * @throws LaikaError `path-missing`, `path-unreadable`, `log-invalid` (with the line), `limit-exceeded`.
 */
export async function readLogs(paths: readonly string[]): Promise<TrainingLog> {
  const logs: TrainerLog[] = [];
  for (const path of paths) logs.push(await readLog(path));
  return joinLogs(logs, paths);
}

/**
 * One file: TensorBoard events, CSV, a JSON document with a `log_history`, else JSON Lines. Or a
 * folder with event files, which are one run's.
 * @throws LaikaError as `readLogs`.
 */
export async function readLog(path: string): Promise<TrainerLog> {
  const source = await openPath(path);
  try {
    const files = await source.list(0);
    const events = files.filter(({ name }) => isEventFile(name));
    if (events.length > 0) return await readEventFiles(source, events);
    const [file] = files;
    if (!source.isFile || !file) {
      const why = 'it is a folder without event files';
      const next = 'name the log file itself';
      const what = 'The training log cannot be read';
      throw new LaikaError({ code: 'log-invalid', what, where: path, why, next });
    }
    if (/\.csv$/i.test(file.name)) return await readMetricsCsv(source, file);
    if (/\.json$/i.test(file.name)) return await readTrainerState(source, file);
    return { lines: await readMetricsLines(source, file), lrIsOfStep: true };
  } finally {
    await source.close();
  }
}

/** The first log's word counts; `sources` are their names, in the same order. */
export function joinLogs(logs: readonly TrainerLog[], sources: readonly string[]): TrainingLog {
  const lines = new Map<number, LogLine>();
  for (const log of logs) {
    for (const [step, line] of log.lines) {
      const first = lines.get(step);
      lines.set(step, first ? joinLines(first, line) : line);
    }
  }
  const about = { sources, lrIsOfStep: logs.every((log) => log.lrIsOfStep) };
  if (!logs.some((log) => log.updateOffsets)) return trainingLog(lines, about);
  const own = ({ updateOffsets, lrIsOfStep }: TrainerLog) => {
    return updateOffsets ?? (lrIsOfStep ? [0] : [0, 1]);
  };
  return trainingLog(lines, { ...about, updateOffsets: [...new Set(logs.flatMap(own))] });
}
