/** Runs planned sweeps, as many together as the engine takes, and keeps what each returns in order. */

import type { StoredChecksum } from '../checkpoint/checkpoint.ts';
import { isLaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import {
  checksumKey,
  type Engine,
  type EngineContext,
  type Sweep,
  type SweepResult,
} from '../engines/engine.ts';
import type { Constants, Operand } from '../laws/law.ts';
import type { CopyRecord } from '../records/copy-record.ts';
import type { LawRecord } from '../records/law-record.ts';
import type { PairRecord } from '../records/pair-record.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { Source } from '../sources/source.ts';
import { foldDigests } from '../suspicions/exact-state.ts';
import { type Checksum, compareChecksum, readChecksum } from './checksums.ts';
import { CoverageTally } from './coverage.ts';
import type { ScanOptions } from './options.ts';
import { comparePages, type PageOutcome } from './pages.ts';
import { copyRules, type Plan, planSummary } from './plan.ts';
import type { PlanContext } from './plan-laws.ts';
import type { CopyOutcome, LawOutcome, Opened, PairEnds } from './scan.ts';

const noDigests = new Uint32Array();

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
  bytesRead = 0;
  readonly #ends: PairEnds;
  readonly #engine: Engine;
  readonly #options: ScanOptions;
  readonly #undecoded = { head: [] as Problem[], base: [] as Problem[] };
  readonly #crc32 = new Map<string, number>();
  /** Ends sweeps that nobody waits for any more. */
  readonly #stop = new AbortController();
  /** Bytes that sweeps under way have read as well. */
  #bytesSeen = 0;

  constructor(ends: PairEnds, engine: Engine, options: ScanOptions) {
    this.#ends = ends;
    this.#engine = engine;
    this.#options = options;
  }

  /** Returns the copies for the caller to judge; laws, records and checksums are kept here. */
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
    if (first.coverage) this.coverage.absorb(first.coverage);
    for (const outcome of await this.#keep(first)) this.keepCopy(outcome);
  }

  #start(plan: Plan, coverage: CoverageTally | null): Started {
    const result = this.#engine.run(plan.sweep, this.#context());
    // It is awaited in its turn.
    result.catch(() => {});
    return { plan, result, coverage };
  }

  async #keep(started: Started): Promise<readonly CopyOutcome[]> {
    const { plan } = started;
    const result = await this.#resultOf(started);
    if (!result) return [];
    this.bytesRead += result.bytesRead;
    for (const [key, value] of result.crc32) this.#crc32.set(key, value);
    await this.#keepPages(plan, result);
    this.#keepRecords(plan, result);
    this.#keepLaws(plan, result.laws);
    if (plan.unit && result.movement) this.movements.set(plan.unit.key, result.movement);
    return plan.copies.map((copy, i) => ({
      reason: copy.reason,
      expected: copy.expected.tensor,
      found: copy.found.tensor,
      record: result.copies[i] as CopyRecord,
    }));
  }

  /** Takes the numbers of a tensor of the head that nothing judges. */
  async summarise(tensor: Tensor): Promise<void> {
    if (tensor.placement.kind === 'absent') return;
    const plan = planSummary(tensor, this.#options.digest === true);
    const result = await this.#resultOf(this.#start(plan, null));
    if (!result) return;
    this.bytesRead += result.bytesRead;
    this.#keepRecords(plan, result);
  }

  /** Null: bytes do not decode. That is damage to tell, and what it leaves unread is not judged. */
  async #resultOf({ plan, result }: Started): Promise<SweepResult | null> {
    try {
      return await result;
    } catch (error) {
      const damage = undecodedOf(error);
      if (!damage) throw error;
      const origin = damage.path === this.#ends.head.source.path ? 'head' : 'base';
      this.#undecoded[origin].push(damage.problem);
      for (const { law, subject } of plan.laws)
        this.coverage.unknown(law.id, subject.elements, 'its bytes cannot be decoded');
      return null;
    }
  }

  keepCopy(outcome: CopyOutcome): void {
    this.coverage.judged(copyRules[outcome.reason], outcome.record.compared);
    this.copies.push(outcome);
  }

  /** Every stored checksum of one end: those that sweeps computed in passing, and the rest. */
  async checkRest(origin: 'head' | 'base'): Promise<Problem[]> {
    const end = this.#ends[origin];
    const found: Problem[] = [];
    for (const stored of end?.checkpoint.checksums ?? []) {
      const { checkpoint, source } = end as Opened;
      let value: Checksum | null = this.#crc32.get(checksumKey(origin, stored)) ?? null;
      if (value === null) {
        value = await this.#readChecksum(source, stored, origin);
        this.bytesRead += stored.length;
        this.#options.onBytes?.(this.bytesRead);
      }
      const problem = value === null ? null : compareChecksum(checkpoint, stored, value);
      if (problem) found.push(problem);
    }
    return [...withoutRepeats(this.#undecoded[origin]), ...found];
  }

  /** Null: the bytes that it covers do not decode, which is told. */
  async #readChecksum(
    source: Source,
    stored: StoredChecksum,
    origin: 'head' | 'base',
  ): Promise<Checksum | null> {
    try {
      return await readChecksum(source, stored);
    } catch (error) {
      const damage = undecodedOf(error);
      if (!damage) throw error;
      this.#undecoded[origin].push(damage.problem);
      return null;
    }
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
      checksums: { head: head.checkpoint.checksums, base: base?.checkpoint.checksums ?? [] },
      signal: signal ? AbortSignal.any([signal, stop]) : stop,
      ...(onBytes ? { onBytes: count } : {}),
    };
  }

  async #keepPages(plan: Plan, result: SweepResult): Promise<void> {
    const outcomes = await comparePages(plan.sweep, result, this.#ends.head.source);
    for (const outcome of outcomes) {
      this.coverage.judged('no-repeated-pages', outcome.pages * outcome.elementsPerPage);
      this.pages.push(outcome);
    }
  }

  #keepRecords(plan: Plan, result: SweepResult): void {
    for (const [operand, record] of Object.entries(result.summaries)) {
      const stream = plan.sweep.streams[operand as Operand];
      // The digest table is 0.2 % of a checkpoint; its one reader has had it.
      if (!stream) continue;
      const { name } = stream.tensor;
      const digest = foldDigests(record.digests);
      if (digest !== null) this.digests[stream.origin].set(name, digest);
      this.summaries[stream.origin].set(name, { ...record, digests: noDigests });
    }
    for (const [operand, hash] of Object.entries(result.sha256)) {
      const stream = plan.sweep.streams[operand as Operand];
      if (stream?.origin === 'head') this.sha256.set(stream.tensor.name, hash);
    }
  }

  #keepLaws(plan: Plan, records: readonly LawRecord[]): void {
    for (const planned of plan.laws) {
      const choices = planned.alternatives.map((i) => ({
        record: records[i] as LawRecord,
        constants: (plan.sweep.laws[i] as { constants: Constants }).constants,
      }));
      // Broken means broken under every reading of the file: the mildest one speaks.
      choices.sort((a, b) => a.record.broken - b.record.broken);
      const { record, constants } = choices[0] as (typeof choices)[number];
      const { law, subject } = planned;
      this.coverage.judged(law.id, record.judged);
      const reason =
        law.scope === 'line' ? 'no line in which enough elements must move' : 'not-finite';
      this.coverage.unknown(law.id, subject.elements - record.judged, reason);
      this.laws.push({ law, unit: plan.unit, subject, constants, record });
    }
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
  ...{ crc32: new Map(), bytesRead: 0 },
};

/** One chunk may be read by several sweeps. */
/** The damage that an error of a reader tells, and the path of its source; null for any other error. */
function undecodedOf(error: unknown): { path: string; problem: Problem } | null {
  if (!isLaikaError(error, 'bytes-damaged') || !error.details.bytes) return null;
  const { bytes, what, why } = error.details;
  const { path, file, offset } = bytes;
  const message = `${what}: ${why}`;
  return { path, problem: { rule: 'encoding-invalid', kind: 'damage', file, offset, message } };
}

function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((each) => [`${each.file}\0${each.offset}`, each])).values()];
}
