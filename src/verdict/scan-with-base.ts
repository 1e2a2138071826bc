/** Scans a checkpoint with its base, unless the base turns out to be damaged itself. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Engine } from '../engines/engine.ts';
import type { Ledger } from '../records/ledger.ts';
import type { ScanOptions } from '../scan/options.ts';
import { type Opened, type ScanOutcome, scanPair } from '../scan/scan.ts';
import { foldDigests } from '../suspicions/exact-state.ts';
import { problemFinding } from './findings.ts';
import type { Kept } from './kept.ts';
import type { Finding } from './result.ts';

export interface Scanned {
  readonly outcome: ScanOutcome;
  /** Step that the outcome's movements are measured from. */
  readonly baseStep: number | null;
  readonly base: Opened | null;
  /** What is said against the base's own files. */
  readonly baseFindings: readonly Finding[];
}

export function isDamaged(checkpoint: Checkpoint): boolean {
  return checkpoint.problems.some((problem) => problem.kind !== 'info');
}

/** A base whose own checksums fail is put aside, and the head judged without it. */
export async function scanWithBase(
  { head, base }: { readonly head: Opened; readonly base: Opened | null },
  how: { readonly engine: Engine; readonly options: ScanOptions; readonly next: string },
  { ledger, isBelieved, writer }: Kept,
): Promise<Scanned> {
  const { engine, next } = how;
  const usable = base && !isDamaged(base.checkpoint) ? base : null;
  const noBase = base ? 'the base is damaged' : 'no base';
  const options = { ...how.options, ...(writer ? { ledger: writer } : {}) };
  const ends = { head, base: usable, noBase, ledger: isBelieved ? ledger : null };
  const problems = base?.checkpoint.problems.filter((problem) => problem.kind !== 'info') ?? [];
  const outcome = await scanPair(ends, engine, options);
  const changed = usable && ledger && !isBelieved ? changedAtRest(usable, outcome, ledger) : [];
  const broken = [...outcome.problems.base, ...changed];
  const baseFindings = [...problems, ...broken].map((each) => problemFinding(each, 'base', next));
  const baseStep = usable?.checkpoint.step ?? null;
  if (broken.length === 0) return { outcome, base: usable, baseFindings, baseStep };
  const alone = { head, base: null, noBase: 'the base is damaged' };
  return {
    outcome: await scanPair(alone, engine, how.options),
    ...{ base: null, baseFindings, baseStep: null },
  };
}

/** Tensors of a base that was read in whole whose bytes are not those that the ledger knows. */
function changedAtRest({ checkpoint }: Opened, outcome: ScanOutcome, ledger: Ledger): Problem[] {
  const { base: found } = outcome.digests;
  return checkpoint.tensors.flatMap(({ name, file }): Problem[] => {
    const digest = found.get(name);
    const record = digest === undefined ? null : ledger.recall(name);
    if (!record || foldDigests(record.digests) === digest) return [];
    const message =
      `the bytes of ${name} are not those that were read when this checkpoint was judged, and its ` +
      'files were not written to since: the storage gives back something else';
    return [{ rule: 'changed-at-rest', kind: 'damage', file, tensor: name, message }];
  });
}
