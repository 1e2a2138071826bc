/** What sweeps returned, tensor by tensor and law by law, with the coverage that it makes. */
import type { SweepResult } from '../engines/engine.ts';
import type { Constants, Operand } from '../laws/law.ts';
import { digestBytes } from '../records/grid.ts';
import type { LawRecord } from '../records/law-record.ts';
import { type LedgerWriter, ledgerTensorBytes } from '../records/ledger.ts';
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import { foldDigests } from '../suspicions/exact-state.ts';
import { CoverageTally } from './coverage.ts';
import type { PageOutcome } from './pages.ts';
import { copyRules, type Plan } from './plan.ts';
import { assumedOwner, type PlannedLaw } from './plan-laws.ts';
import type { CopyOutcome, LawOutcome } from './scan.ts';

/** Laws that hold for most elements where the state is the weight's own, and for none where it is not. */
const ownerLaws: ReadonlySet<string> = new Set(['replay-weights', 'replay-sgd']);

/** Broken means broken under every reading of the file: the mildest one speaks. */
function mildest(
  planned: PlannedLaw,
  plan: Plan,
  records: readonly LawRecord[],
): { readonly record: LawRecord; readonly constants: Constants } {
  const choices = planned.alternatives.map((i) => ({
    record: records[i] as LawRecord,
    constants: (plan.sweep.laws[i] as { constants: Constants }).constants,
  }));
  choices.sort((a, b) => a.record.broken - b.record.broken);
  return choices[0] as (typeof choices)[number];
}

const noDigests = new Uint32Array();

export class SweepOutcomes {
  readonly coverage = new CoverageTally();
  readonly summaries = {
    head: new Map<string, SummaryRecord>(),
    base: new Map<string, SummaryRecord>(),
  };
  /** One hash a tensor, of its digest table. */
  readonly digests = { head: new Map<string, string>(), base: new Map<string, string>() };
  readonly sha256 = new Map<string, string>();
  readonly laws: LawOutcome[] = [];
  readonly copies: CopyOutcome[] = [];
  readonly pages: PageOutcome[] = [];
  readonly movements = new Map<string, PairRecord>();
  readonly #ledger: LedgerWriter | null;

  /** `ledger` takes what is to be kept of the head. */
  constructor(ledger: LedgerWriter | null) {
    this.#ledger = ledger;
  }

  /** All of a result but pages and copies. */
  keep(plan: Plan, result: SweepResult): void {
    this.keepRecords(plan, result);
    this.#keepLaws(plan, result.laws);
    if (plan.unit && result.movement) this.movements.set(plan.unit.key, result.movement);
  }

  /** Counts a copy that must be equal, and keeps it. */
  keepCopy(outcome: CopyOutcome): void {
    this.coverage.judged(copyRules[outcome.reason], outcome.record.compared);
    this.copies.push(outcome);
  }

  /** Counts and keeps what pages say that held different numbers in the base. */
  keepPages(outcomes: Iterable<PageOutcome>): void {
    for (const outcome of outcomes) {
      this.coverage.judged('no-repeated-pages', outcome.pages * outcome.elementsPerPage);
      this.pages.push(outcome);
    }
  }

  /** The numbers of its tensors alone. */
  keepRecords(plan: Plan, result: SweepResult): void {
    for (const [operand, record] of Object.entries(result.summaries)) {
      const stream = plan.sweep.streams[operand as Operand];
      // The digest table is 0.2 % of a checkpoint; its one reader has had it.
      if (!stream) continue;
      const { name } = stream.tensor;
      if (stream.origin === 'head' && digestBytes * record.digests.length >= 2 * ledgerTensorBytes)
        this.#ledger?.add(name, record);
      this.#keepRecord(stream.origin, name, record);
    }
    for (const { tensor, record } of Object.values(plan.recalled ?? {}))
      this.#keepRecord('base', tensor.name, record);
    for (const [operand, hash] of Object.entries(result.sha256)) {
      const stream = plan.sweep.streams[operand as Operand];
      if (stream?.origin === 'head') this.sha256.set(stream.tensor.name, hash);
    }
  }

  #keepRecord(origin: 'base' | 'head', name: string, record: SummaryRecord): void {
    const digest = foldDigests(record.digests);
    if (digest !== null) this.digests[origin].set(name, digest);
    this.summaries[origin].set(name, { ...record, digests: noDigests });
  }

  #keepLaws(plan: Plan, records: readonly LawRecord[]): void {
    const fits = plan.laws.some((planned) => {
      const { judged, broken } = mildest(planned, plan, records).record;
      return ownerLaws.has(planned.law.id) && 2 * broken < judged;
    });
    for (const planned of plan.laws) {
      const { law, subject } = planned;
      if (planned.onAssumption && !fits) {
        this.coverage.unknown(law.id, subject.elements, assumedOwner);
        continue;
      }
      const { record, constants } = mildest(planned, plan, records);
      this.coverage.judged(law.id, record.judged);
      const reason =
        law.scope === 'line' ? 'no line in which enough elements must move' : 'not-finite';
      this.coverage.unknown(law.id, subject.elements - record.judged, reason);
      this.laws.push({ law, unit: plan.unit, subject, constants, record });
    }
  }
}
