/** Runs planned sweeps, as many together as the engine takes, and keeps what each returns in order. */
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engines/engine.ts';
import type { Operand } from '../laws/law.ts';
import type { CopyRecord } from '../records/copy-record.ts';
import { CoverageTally } from './coverage.ts';
import type { ScanOptions } from './options.ts';
import { comparePages } from './pages.ts';
import { type Plan, planSummary } from './plan.ts';
import type { PlanContext } from './plan-laws.ts';
import type { CopyOutcome, PairEnds } from './scan.ts';
import { StoredChecksums } from './stored-checksums.ts';
import { SweepOutcomes } from './sweep-outcomes.ts';

/** Plans that belong together, and what planning them told: it is counted when they are kept. */
export interface PlanGroup {
  readonly plans: readonly Plan[];
  readonly coverage: CoverageTally;
}

/** Plans each item when its turn comes; what that tells of coverage is counted with its sweeps. */
export function* planGroups<Item>(
  items: Iterable<Item>,
  plan: (item: Item, context: PlanContext) => readonly Plan[],
  context: PlanContext,
): Generator<PlanGroup> {
  for (const item of items) {
    const coverage = new CoverageTally();
    yield { coverage, plans: plan(item, { ...context, coverage }) };
  }
}

/** A sweep that is under way. */
interface Started {
  readonly plan: Plan;
  readonly result: Promise<SweepResult>;
  /** Of its group, at the group's first plan. */
  readonly coverage: CoverageTally | null;
}

export class SweepRunner {
  readonly outcomes: SweepOutcomes;
  bytesRead = 0;
  /** Bytes of the base that a ledger spared. */
  bytesRecalled = 0;
  /** Does the base hold other bytes than the ledger says? */
  isBaseAltered = false;
  readonly #ends: PairEnds;
  readonly #engine: Engine;
  readonly #options: ScanOptions;
  readonly #checksums: StoredChecksums;
  /** Ends sweeps that nobody waits for any more. */
  readonly #stop = new AbortController();
  /** Bytes that sweeps under way have read as well. */
  #bytesSeen = 0;

  constructor(ends: PairEnds, engine: Engine, options: ScanOptions) {
    this.#ends = ends;
    this.#engine = engine;
    this.#options = options;
    this.outcomes = new SweepOutcomes(options.ledger ?? null);
    this.#checksums = new StoredChecksums(ends);
  }

  /** Returns the copies for the caller to judge; all else is kept. */
  run(plan: Plan): Promise<readonly CopyOutcome[]> {
    return this.#keep(this.#start(plan, null));
  }

  /**
   * Runs every plan and keeps what it returns, copies included. However many sweeps are under way
   * together, all is kept in the order of the plans.
   */
  async runAll(groups: Iterable<PlanGroup>): Promise<void> {
    const started: Started[] = [];
    try {
      for (const { plans, coverage } of groups) {
        if (plans.length === 0) started.push(nothing(coverage));
        for (const [i, plan] of plans.entries()) {
          started.push(this.#start(plan, i === 0 ? coverage : null));
        }
        while (started.length >= (this.#engine.inFlight ?? 1)) await this.#keepFirst(started);
      }
      while (started.length > 0) await this.#keepFirst(started);
    } finally {
      // After an error the others must not go on reading.
      if (started.length > 0) this.#stop.abort();
      await Promise.allSettled(started.map(({ result }) => result));
    }
  }

  async #keepFirst(started: Started[]): Promise<void> {
    const [first] = started.splice(0, 1);
    if (!first) return;
    if (first.coverage) this.outcomes.coverage.absorb(first.coverage);
    for (const outcome of await this.#keep(first)) this.outcomes.keepCopy(outcome);
  }

  #start(plan: Plan, coverage: CoverageTally | null): Started {
    const { detail } = this.#options;
    const sweep = detail ? { ...plan.sweep, detail } : plan.sweep;
    const result = this.#engine.run(sweep, this.#context());
    // It is awaited in its turn.
    result.catch(() => {});
    return { plan, result, coverage };
  }

  async #keep(started: Started): Promise<readonly CopyOutcome[]> {
    const { plan } = started;
    const result = await this.#resultOf(started);
    if (!result) return [];
    this.bytesRead += result.bytesRead;
    this.#recall(plan, result);
    this.#checksums.keep(result.crcs);
    this.outcomes.keepPages(await comparePages(plan, result, this.#ends.head.source));
    this.outcomes.keep(plan, result);
    return plan.copies.map((copy, i) => ({
      reason: copy.reason,
      expected: copy.expected.tensor,
      found: copy.found.tensor,
      record: result.copies[i] as CopyRecord,
    }));
  }

  /** What a ledger gave, and whether the bytes that were read are those that it knows. */
  #recall({ recalled, sweep }: Plan, result: SweepResult): void {
    this.isBaseAltered ||= result.isBaseAltered === true;
    this.bytesRecalled += result.bytesRecalled ?? 0;
    for (const [operand, { tensor }] of Object.entries(recalled ?? {})) {
      this.#checksums.vouch(tensor);
      const bytes = (tensor.elements * dtypeBits[tensor.dtype]) / 8;
      if (!sweep.streams[operand as Operand]) this.bytesRecalled += bytes;
    }
  }

  /** Takes the numbers of a tensor of the head that nothing judges. */
  async summarise(tensor: Tensor): Promise<void> {
    if (tensor.placement.kind === 'absent') return;
    const plan = planSummary(tensor, this.#options.digest === true);
    const result = await this.#resultOf(this.#start(plan, null));
    if (!result) return;
    this.bytesRead += result.bytesRead;
    this.outcomes.keepRecords(plan, result);
  }

  /** Null: bytes do not decode. That is damage to tell, and what it leaves unread is not judged. */
  async #resultOf({ plan, result }: Started): Promise<SweepResult | null> {
    try {
      return await result;
    } catch (error) {
      if (!this.#checksums.takeDamage(error)) throw error;
      for (const { law, subject } of plan.laws)
        this.outcomes.coverage.unknown(law.id, subject.elements, 'its bytes cannot be decoded');
      return null;
    }
  }

  /** Every stored checksum of one end: those that sweeps computed in passing, and the rest. */
  checkRest(origin: 'head' | 'base'): Promise<Problem[]> {
    return this.#checksums.problems(origin, (bytes) => {
      this.bytesRead += bytes;
      this.#options.onBytes?.(this.bytesRead);
    });
  }

  #context(): EngineContext {
    const { signal, onBytes } = this.#options;
    const { head, base } = this.#ends;
    const stop = this.#stop.signal;
    let seen = 0;
    const count = (bytes: number) => {
      this.#bytesSeen += bytes - seen;
      seen = bytes;
      onBytes?.(this.#bytesSeen);
    };
    return {
      sources: { head: head.source, base: base?.source ?? null },
      checksums: {
        head: head.checkpoint.checksums,
        base: base?.checkpoint.checksums ?? [],
      },
      signal: signal ? AbortSignal.any([signal, stop]) : stop,
      ...(onBytes ? { onBytes: count } : {}),
    };
  }
}

const emptySweep: Sweep = {
  ...{ elements: 0, streams: {}, summaries: [], laws: [], copies: [], sha256: [] },
};

/** What stands for a group without plans: its coverage has its place in the order. */
function nothing(coverage: CoverageTally): Started {
  const plan: Plan = { unit: null, sweep: emptySweep, laws: [], copies: [] };
  return { plan, result: Promise.resolve(noResult), coverage };
}

const noResult: SweepResult = {
  ...{ summaries: {}, laws: [], copies: [], sha256: {}, movement: null },
  ...{ crcs: new Map(), bytesRead: 0 },
};
