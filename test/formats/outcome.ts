/** What became of opening a path, in the words of the hostile fixtures' expectations. */
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';

export interface Outcome {
  readonly kind: 'security' | 'problem' | 'limit' | 'not-a-checkpoint' | 'fine' | string;
  readonly checkpoint: Checkpoint | null;
  readonly error: Error | null;
}

/** Never throws: an error of another class shows up as its own kind. */
export async function outcomeOf(path: string): Promise<Outcome> {
  try {
    const { checkpoint, source } = await openCheckpoint(path);
    await source.close();
    return { kind: kindOf(checkpoint), checkpoint, error: null };
  } catch (error) {
    const kind = isLaikaError(error) ? wordFor(error.code) : `untyped: ${(error as Error).stack}`;
    return { kind, checkpoint: null, error: error as Error };
  }
}

function kindOf({ problems }: Checkpoint): string {
  if (problems.some(({ kind }) => kind === 'security')) return 'security';
  return problems.some(({ kind }) => kind === 'damage') ? 'problem' : 'fine';
}

function wordFor(code: string): string {
  if (code === 'limit-exceeded') return 'limit';
  return code === 'no-checkpoints' ? 'not-a-checkpoint' : code;
}
