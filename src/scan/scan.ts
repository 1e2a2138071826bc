/** Drives an engine over a pair of checkpoints and gathers what it found. Decides nothing. */
import { type Alignment, alignCheckpoints, type Unit } from '../checkpoint/align.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Engine } from '../engines/engine.ts';
import type { Constants, ElementLaw, LineLaw } from '../laws/law.ts';
import { stateProgress } from '../laws/state-progress.ts';
import type { CopyRecord } from '../records/copy-record.ts';
import type { LawRecord } from '../records/law-record.ts';
import type { Ledger } from '../records/ledger.ts';
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { Source } from '../sources/source.ts';
import type { Growth } from '../suspicions/unbacked-growth.ts';
import { findAveragings } from './averagings.ts';
import type { CoverageTally } from './coverage.ts';
import { type FactorOutcome, judgeFactors } from './factors.ts';
import { findGrowths } from './growths.ts';
import { type Pair, stepsOf } from './law-context.ts';
import { judgeModel, type ModelOutcome } from './model-sums.ts';
import { findOddBooleans } from './odd-booleans.ts';
import type { ScanOptions } from './options.ts';
import type { PageOutcome } from './pages.ts';
import { type CopyReason, planUnit } from './plan.ts';
import type { PlanContext } from './plan-laws.ts';
import { findStaleShards } from './stale-shards.ts';
import { judgeSteps, type StepReport } from './steps.ts';
import type { SweepOutcomes } from './sweep-outcomes.ts';
import { planGroups, SweepRunner } from './sweep-runner.ts';
import { sweepSingles, sweepTies } from './sweep-singles.ts';

export interface Opened {
  readonly checkpoint: Checkpoint;
  readonly source: Source;
}

/** What is compared; without a base, why there is none (`no base`, `the base is damaged`). */
export interface PairEnds {
  readonly head: Opened;
  readonly base: Opened | null;
  readonly noBase: string;
  /** What is kept of the base; absent or null: all of it is read. */
  readonly ledger?: Ledger | null;
}

export interface LawOutcome {
  readonly law: ElementLaw | LineLaw;
  /** Null for a law about a tensor that belongs to no parameter. */
  readonly unit: Unit | null;
  readonly subject: Tensor;
  readonly constants: Constants;
  readonly record: LawRecord;
}

export interface CopyOutcome {
  readonly reason: CopyReason;
  readonly expected: Tensor;
  readonly found: Tensor;
  readonly record: CopyRecord;
}

export interface ScanOutcome {
  readonly alignment: Alignment;
  readonly steps: StepReport;
  /** By name, of the head's tensors and of those of the base that were compared. */
  readonly summaries: {
    readonly head: ReadonlyMap<string, SummaryRecord>;
    readonly base: ReadonlyMap<string, SummaryRecord>;
  };
  /** One hash of each summarised tensor's bytes. */
  readonly digests: {
    readonly head: ReadonlyMap<string, string>;
    readonly base: ReadonlyMap<string, string>;
  };
  readonly sha256: ReadonlyMap<string, string>;
  readonly laws: readonly LawOutcome[];
  readonly copies: readonly CopyOutcome[];
  readonly pages: readonly PageOutcome[];
  /** How weights moved, by unit key. */
  readonly movements: ReadonlyMap<string, PairRecord>;
  /** Second moments that stand alone, by the name of the tensor. */
  readonly growths: ReadonlyMap<string, Growth>;
  readonly model: readonly ModelOutcome[];
  readonly factors: readonly FactorOutcome[];
  /** Checksums that do not match. */
  readonly problems: { readonly head: readonly Problem[]; readonly base: readonly Problem[] };
  readonly coverage: CoverageTally;
  readonly bytesRead: number;
  /** Bytes of the base that a ledger spared. */
  readonly bytesRecalled: number;
  /** Does the base hold other bytes than the ledger says? */
  readonly isBaseAltered: boolean;
}

/** Roles whose numbers must be finite; a buffer may hold infinities (masks), `other` may hold anything. */
const finiteRoles: ReadonlySet<string> = new Set([
  'parameter',
  'gradient',
  'first-moment',
  'second-moment',
  'max-second-moment',
  'momentum',
  'master',
  'average',
  'scale',
]);

export function mustBeFinite(tensor: Tensor): boolean {
  return finiteRoles.has(tensor.role);
}

function countFinite(outcomes: SweepOutcomes, checkpoint: Checkpoint): void {
  for (const tensor of checkpoint.tensors) {
    if (!mustBeFinite(tensor) || tensor.aliasOf !== null) continue;
    const record = outcomes.summaries.head.get(tensor.name);
    if (record) outcomes.coverage.judged('finite-values', record.elements);
    else {
      const { placement } = tensor;
      const reason = placement.kind === 'absent' ? placement.reason : 'its bytes cannot be decoded';
      outcomes.coverage.unknown('finite-values', tensor.elements, reason);
    }
  }
}

/** Why no pair law can run; null where they can. */
function pairRefusal(alignment: Alignment, steps: StepReport, ends: PairEnds): string | null {
  if (!ends.base) return ends.noBase;
  if (steps.backwards) return 'the step went backwards';
  if (steps.sameStep) return 'no step between the checkpoints';
  const matched = alignment.units.some((unit) => unit.base !== null);
  return matched ? null : 'the base holds no state for any of these parameters';
}

/** Reads head and base once and returns every record. */
export async function scanPair(
  ends: PairEnds,
  engine: Engine,
  options: ScanOptions,
): Promise<ScanOutcome> {
  const run = new SweepRunner(ends, engine, options);
  const pair: Pair = { head: ends.head.checkpoint, base: ends.base?.checkpoint ?? null };
  const { outcomes } = run;
  const { coverage, summaries, digests, movements, sha256, laws, copies, pages } = outcomes;
  const alignment = alignCheckpoints(pair.head, pair.base);
  const steps = judgeSteps(alignment, pair, coverage);
  const refusal = pairRefusal(alignment, steps, ends);
  const { sameStep, sameTrainer } = steps;
  const paired = alignment.units.filter((unit) => {
    const { stepBase, stepHead } = stepsOf(unit, pair);
    return refusal === null && stepBase !== null && stepHead === stepBase + 1;
  });
  const averagings = await findAveragings(paired, ends, options.optimizer?.averageDecay);
  const context: PlanContext = {
    ...{ pair, options, coverage, sameStep, sameTrainer, averagings },
    pairRefusal: refusal,
    ledger: ends.ledger ?? null,
  };
  await run.runAll(planGroups(alignment.units, planUnit, context));
  await sweepSingles(run, alignment, context, ends);
  await sweepTies(run, pair.head);
  countFinite(outcomes, pair.head);
  if (options.listed) for (const whole of pair.head.wholes ?? []) await run.summarise(whole);
  const model = judgeModel({ alignment, pair, options, summaries, coverage, pairRefusal: refusal });
  const factors = judgeFactors(alignment, pair.head.tensors, summaries.head, coverage);
  const growths = refusal
    ? new Map<string, Growth>()
    : await findGrowths(alignment, ends, { pair, options, summaries: summaries.head });
  const odd = await findOddBooleans(pair.head, ends.head.source);
  const mustMove = new Set(
    laws.flatMap(({ law, unit }) => (law === stateProgress ? unit : null) ?? []),
  );
  const stale = await findStaleShards([...mustMove], ends);
  const problems = {
    head: [...(await run.checkRest('head')), ...odd.problems, ...stale],
    base: await run.checkRest('base'),
  };
  return {
    alignment,
    steps,
    summaries,
    digests,
    movements,
    sha256,
    laws,
    copies,
    pages,
    growths,
    model,
    factors,
    problems,
    coverage,
    bytesRead: run.bytesRead + odd.bytesRead,
    bytesRecalled: run.bytesRecalled,
    isBaseAltered: run.isBaseAltered,
  };
}
