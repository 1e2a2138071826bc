/**
 * The oracle: plain TypeScript, one element at a time. Slow, and what every other engine must agree
 * with.
 */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { BoundLaw, Operand } from '../../laws/law.ts';
import { sweptLaw } from '../../laws/laws.ts';
import { type CopyRecord, emptyCopyRecord } from '../../records/copy-record.ts';
import { pageElements } from '../../records/grid.ts';
import { emptyLawRecord, type LawRecord } from '../../records/law-record.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { CopyPlan, Engine, EngineContext, Stream, Sweep, SweepResult } from '../engine.ts';
import { judgeElements, judgeLines, type LineBlock } from '../judge.ts';
import { Pacer } from '../pacer.ts';
import { settleSquares } from '../settle-squares.ts';
import { type Chunk, SweepReader } from '../sweep-reader.ts';
import { squaresOfCounts } from '../value-counts.ts';
import { BlockSums } from './block-sums.ts';
import { compareCopies } from './compare.ts';
import { lawValueAt, realAt } from './decode.ts';
import { type MovementViews, ReferenceMovement } from './measure-movement.ts';
import { ReferenceSummary } from './summarise.ts';

/** Opens the reference engine. */
export function openReferenceEngine(): Engine {
  return new ReferenceEngine();
}

class ReferenceEngine implements Engine {
  readonly name = 'reference';
  readonly device = '1 thread, no SIMD';
  readonly #pacer = new Pacer();

  async run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const pass = new ReferencePass(sweep, context, this.#pacer);
    return pass.run();
  }

  async close(): Promise<void> {}
}

/** One sweep. */
class ReferencePass {
  readonly #sweep: Sweep;
  readonly #buffers = new Map<Operand, Uint8Array>();
  readonly #reader: SweepReader;
  readonly #summaries: Map<Operand, ReferenceSummary>;
  readonly #laws: readonly { readonly bound: BoundLaw; readonly record: LawRecord }[];
  readonly #copies: readonly { readonly plan: CopyPlan; readonly record: CopyRecord }[];
  readonly #movement: ReferenceMovement | null;

  constructor(sweep: Sweep, context: EngineContext, pacer: Pacer) {
    this.#sweep = sweep;
    this.#reader = new SweepReader(sweep, context, {
      pacer,
      allocate: (operand, bytes) => {
        const buffer = new Uint8Array(bytes);
        this.#buffers.set(operand, buffer);
        return buffer;
      },
    });
    this.#summaries = new Map(
      sweep.summaries.map((operand) => {
        const { dtype, elements } = this.#stream(operand).tensor;
        return [operand, new ReferenceSummary(dtype, elements)];
      }),
    );
    this.#laws = sweep.laws.map((bound) => ({ bound, record: emptyLawRecord(bound.law) }));
    this.#copies = sweep.copies.map((plan) => ({ plan, record: emptyCopyRecord() }));
    this.#movement = sweep.movement ? new ReferenceMovement(sweep, sweep.movement) : null;
  }

  async run(): Promise<SweepResult> {
    const reader = this.#reader;
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
      this.#summarise(chunk);
      this.#judge(chunk);
      this.#compare(chunk);
      this.#measure(chunk);
    }
    const summaries: Partial<Record<Operand, SummaryRecord>> = {};
    for (const operand of this.#summaries.keys()) {
      summaries[operand] = await this.#finish(operand);
    }
    return {
      summaries,
      laws: this.#laws.map(({ record }) => record),
      copies: this.#copies.map(({ record }) => record),
      sha256: reader.sha256(),
      movement: this.#movement?.finish() ?? null,
      crcs: new Map(reader.crcs().map(({ key, value }) => [key, value])),
      bytesRead: reader.bytesRead,
    };
  }

  #stream(operand: Operand): Stream {
    const stream = this.#sweep.streams[operand];
    if (!stream) throw new Error(`the sweep has no stream ${operand}`);
    return stream;
  }

  #bytes(operand: Operand, { count }: Chunk): Uint8Array {
    const bits = dtypeBits[this.#stream(operand).tensor.dtype];
    return (this.#buffers.get(operand) as Uint8Array).subarray(0, Math.ceil((count * bits) / 8));
  }

  #view(operand: Operand, chunk: Chunk): DataView {
    const bytes = this.#bytes(operand, chunk);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #summarise(chunk: Chunk): void {
    for (const [operand, summary] of this.#summaries) {
      summary.add(this.#bytes(operand, chunk), chunk.count);
    }
  }

  #judge(chunk: Chunk): void {
    if (this.#laws.length === 0) return;
    const block = this.#widen(chunk);
    for (const { bound, record } of this.#laws) {
      const law = sweptLaw(bound.law);
      if (law.scope === 'element') judgeElements(law, bound, { block, record });
      else judgeLines(law, bound, { block, record });
    }
  }

  /** Every operand of a law as float64, and the words of float32 streams. */
  #widen(chunk: Chunk): LineBlock {
    const columns: Partial<Record<Operand, Float64Array>> = {};
    const words: Partial<Record<Operand, Uint32Array>> = {};
    const used = new Set(this.#laws.flatMap(({ bound }) => sweptLaw(bound.law).operands));
    for (const { bound } of this.#laws) {
      const law = sweptLaw(bound.law);
      if (law.scope === 'element') continue;
      used.add(`${law.subject(bound.constants)}A`).add(`${law.subject(bound.constants)}B`);
    }
    for (const operand of used) {
      const dtype = this.#sweep.streams[operand]?.tensor.dtype;
      if (dtype === undefined) continue;
      const view = this.#view(operand, chunk);
      const { count } = chunk;
      const column = new Float64Array(count);
      for (let i = 0; i < count; i++) column[i] = lawValueAt(dtype, view, i);
      columns[operand] = column;
      if (dtype !== 'f32') continue;
      words[operand] = Uint32Array.from({ length: count }, (_, i) => view.getUint32(4 * i, true));
    }
    return { ...chunk, columns, words };
  }

  #compare(chunk: Chunk): void {
    for (const { plan, record } of this.#copies) {
      const side = (operand: Operand) => ({
        dtype: this.#stream(operand).tensor.dtype,
        view: this.#view(operand, chunk),
      });
      const left = side(plan.left);
      const right = side(plan.right);
      compareCopies({ left, right, rounded: plan.relation === 'rounded' }, chunk, record);
    }
  }

  #measure(chunk: Chunk): void {
    const movement = this.#movement;
    if (!movement) return;
    const views: MovementViews = {};
    for (const operand of movement.operands) views[operand] = this.#view(operand, chunk);
    movement.add(views, chunk);
  }

  async #finish(operand: Operand): Promise<SummaryRecord> {
    const summary = this.#summaries.get(operand) as ReferenceSummary;
    const record = summary.finish();
    const counted = summary.valueCounts();
    await settleSquares(record, async (scale, centre) =>
      counted
        ? squaresOfCounts(record.dtype, counted, centre)
        : this.#measureSquares(operand, scale, centre),
    );
    return record;
  }

  async #measureSquares(operand: Operand, scale: number, centre: number): Promise<number> {
    const { dtype } = this.#stream(operand).tensor;
    const sums = new BlockSums(pageElements(dtypeBits[dtype]));
    for await (const chunk of this.#reader.again(operand)) {
      const view = this.#view(operand, chunk);
      for (let i = 0; i < chunk.count; i++) {
        const x = Number(realAt(dtype, view, i));
        const distance = x * scale - centre;
        sums.add(Number.isFinite(x) ? distance * distance : 0);
      }
    }
    return sums.total();
  }
}
