/** Training logs that lie in or beside a checkpoint, found by themselves. A bad one is told and left out. */
import { isLaikaError } from '../checkpoint/errors.ts';
import { openPath } from '../sources/open-path.ts';
import type { SourceFile } from '../sources/source.ts';
import { folderAround, lastPart, pathInside } from '../sources/source-path.ts';
import { joinLogs, readLog } from './read-logs.ts';
import { isEventFile } from './tensorboard.ts';
import type { TrainerLog } from './trainer-state.ts';
import type { TrainingLog } from './training-log.ts';

export interface FoundLogs {
  /** Null: no usable log was found. */
  readonly log: TrainingLog | null;
  /** Why a file that looked like a log was not used, each with its path. */
  readonly ignored: readonly string[];
}

const trainerState = 'trainer_state.json';
const metrics = 'metrics.jsonl';
const csv = 'metrics.csv';

/**
 * Looks into the checkpoint's folder, then beside the checkpoint; what lies inside counts first. Where
 * that finds no rates it looks for what metrics loggers write: a CSV file, TensorBoard events.
 * @throws LaikaError `path-missing`, `path-unreadable` about the checkpoint itself, never about a log.
 */
export async function findLogs(checkpointPath: string): Promise<FoundLogs> {
  const search = new Search();
  const source = await openPath(checkpointPath);
  const { isFile } = source;
  await source.close();
  if (!isFile) await search.lookInto(checkpointPath);
  const beside = folderAround(checkpointPath);
  if (beside === null) return search.result();
  await search.lookInto(beside);
  await search.lookForLoggers(beside);
  // Lightning keeps its checkpoints in a folder of this name below its logs.
  const above = lastPart(beside) === 'checkpoints' ? folderAround(beside) : null;
  if (above !== null) await search.lookForLoggers(above);
  return search.result();
}

class Search {
  readonly #logs: TrainerLog[] = [];
  readonly #sources: string[] = [];
  readonly #ignored: string[] = [];

  result(): FoundLogs {
    const log = this.#logs.length > 0 ? joinLogs(this.#logs, this.#sources) : null;
    return { log, ignored: this.#ignored };
  }

  async lookInto(folder: string): Promise<void> {
    const files = await this.#list(folder);
    const has = (name: string) => files.some((file) => file.name === name);
    if (has(trainerState)) await this.#take(pathInside(folder, trainerState));
    if (has(metrics)) await this.#take(pathInside(folder, metrics));
    else await this.#takeOnlyOne(folder, files);
  }

  /** One log is enough: their numbers are the same, and those of a CSV file are less often rounded. */
  async lookForLoggers(folder: string): Promise<void> {
    if (this.#logs.some(hasRates)) return;
    const files = await this.#list(folder);
    if (files.some(({ name }) => name === csv)) await this.#take(pathInside(folder, csv));
    if (this.#logs.some(hasRates)) return;
    if (files.some(({ name }) => isEventFile(name))) await this.#take(folder);
  }

  async #list(folder: string): Promise<readonly SourceFile[]> {
    try {
      const source = await openPath(folder);
      const files = await source.list(0);
      await source.close();
      return files.filter(({ name }) => /\.(jsonl?|csv)$/.test(name) || isEventFile(name));
    } catch (error) {
      if (!isLaikaError(error)) throw error;
      this.#ignored.push(error.message);
      return [];
    }
  }

  async #take(path: string): Promise<void> {
    const log = await this.#read(path);
    if (!log) return;
    this.#logs.push(log);
    this.#sources.push(path);
  }

  /** Null: it cannot be read; said in `ignored`. */
  async #read(path: string): Promise<TrainerLog | null> {
    try {
      return await readLog(path);
    } catch (error) {
      if (!isLaikaError(error)) throw error;
      this.#ignored.push(error.message);
      return null;
    }
  }

  /** A file of another name is a log where its lines have steps and rates, and no other file's do. */
  async #takeOnlyOne(folder: string, files: readonly SourceFile[]): Promise<void> {
    const found = new Map<string, TrainerLog>();
    const candidates = files.filter(({ name }) => name.endsWith('.jsonl'));
    for (const { name, sizeBytes } of candidates.slice(0, candidatesMost)) {
      const path = pathInside(folder, name);
      if (sizeBytes > candidateBytesMost) {
        this.#ignored.push(`too large for a log that nobody named: ${path}`);
        continue;
      }
      const log = await this.#read(path);
      if (log && hasRates(log)) found.set(path, log);
    }
    const [only] = found;
    if (found.size === 1 && only) {
      this.#sources.push(only[0]);
      this.#logs.push(only[1]);
    }
    if (found.size > 1) {
      const paths = [...found.keys()].join(', ');
      this.#ignored.push(`several logs lie there, and nothing says which one is right: ${paths}`);
    }
  }
}

/** Files of another name that are tried: beside a checkpoint there may be a data set in such files. */
const candidatesMost = 8;

const candidateBytesMost = 64 * 1024 * 1024;

function hasRates({ lines }: TrainerLog): boolean {
  for (const line of lines.values()) if (line.lr !== null) return true;
  return false;
}
