/**
 * `trainer_state.json`: written last, so that it tells whether a save was finished, and which step
 * it is.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { isJsonObject, readStrictJson, toDouble } from './strict-json.ts';

export const trainerStateName = 'trainer_state.json';

/** The Trainer's own states are five deep. */
const stateDepth = 64;

/** The log of a run of millions of steps. */
const stateBytesMost = 256 * 1024 * 1024;

export interface TrainerStep {
  /** `global_step`: the Trainer's count of optimizer steps. */
  readonly step: number | null;
  readonly isWhole: boolean;
  readonly problems: readonly Problem[];
}

function damaged(rule: Problem['rule'], message: string, offset?: number): TrainerStep {
  const at = offset === undefined ? {} : { offset };
  const problem: Problem = { rule, kind: 'damage', file: trainerStateName, ...at, message };
  return { step: null, isWhole: false, problems: [problem] };
}

/**
 * Reads the state among the files of one folder. NaN and Infinity in its log are Python's.
 * @throws LaikaError `limit-exceeded` (size, nesting); as `Source.read`.
 */
export async function readTrainerStep(
  source: Source,
  files: readonly SourceFile[],
): Promise<TrainerStep> {
  const file = files.find(({ name }) => name === trainerStateName);
  if (!file) return damaged('shard-missing', 'it is missing: this save was not finished');
  if (file.sizeBytes > stateBytesMost) {
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The trainer's state has more than ${stateBytesMost} bytes`,
      where: file.name,
    });
  }
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(file.name, 0, bytes);
  const json = readStrictJson(bytes, {
    where: file.name,
    maxDepth: stateDepth,
    allowNonFinite: true,
  });
  if (!json.ok) {
    const isCut = json.offset >= bytes.length;
    const message = `the trainer's state cannot be read: ${json.message}`;
    return damaged(isCut ? 'file-truncated' : 'header-invalid', message, json.offset);
  }
  const value = isJsonObject(json.value) ? json.value.get('global_step') : undefined;
  const step = toDouble(value);
  if (step === null || !Number.isSafeInteger(step) || step < 0) {
    return damaged('header-invalid', "the trainer's state has no global_step that counts");
  }
  return { step, isWhole: true, problems: [] };
}
