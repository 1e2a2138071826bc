/** One law of a sweep, judged on the GPU; the worst element is judged again here. */
import type { BoundLaw, ElementLaw, LineLaw, Operand } from '../../laws/law.ts';
import { sweptLaw } from '../../laws/laws.ts';
import { blockElements, chunkElements } from '../../records/grid.ts';
import { emptyLawRecord, type LawRecord, ratioOf } from '../../records/law-record.ts';
import { lineSides } from '../judge.ts';
import { lawValueAt } from '../reference/decode.ts';
import { CalledPass } from './called-pass.ts';
import { CudaError, miscomputed } from './driver.ts';
import { groupElements, type Parameter, real, whole } from './kernels.ts';
import { type LawKernel, lawKernels } from './law-kernels.ts';
import type { CudaSession } from './session.ts';
import {
  type Area,
  type ChunkWork,
  type CudaPass,
  type CudaStreams,
  dataOf,
  indexIn,
  operandOf,
  type ResultLayout,
  viewOf,
} from './work.ts';

const operandsMax = 6;
const constantsMax = 20;

const total = {
  judged: 0,
  broken: 1,
  notFinite: 2,
  firstBroken: 3,
  firstHeld: 4,
  words: 5,
} as const;

/** Ratio and index of one block. */
const worstReals = 2;

interface Shared {
  readonly session: CudaSession;
  readonly streams: CudaStreams;
  readonly layout: ResultLayout;
}

/** A pass with the record that it fills. */
export interface LawPass extends CudaPass {
  readonly record: LawRecord;
}

/** The pass of one bound law; a law that has no kernel is judged by calling it. */
export function lawPass(shared: Shared, bound: BoundLaw): LawPass {
  const law = sweptLaw(bound.law);
  const kernel = lawKernels.get(law.id);
  if (!kernel) return new CalledPass(law, bound, shared.streams);
  const judge = new Judge(shared, { law, bound, kernel });
  return law.scope === 'element' ? new ElementPass(judge, law) : new LinePass(judge, law);
}

/** What both kinds of laws share: parameters, counts, values of an element. */
class Judge {
  readonly record: LawRecord;
  readonly bound: BoundLaw;
  readonly #shared: Shared;
  readonly #law: ElementLaw | LineLaw;
  readonly #kernel: LawKernel;
  readonly #constants: readonly number[];
  readonly #totals: Area;
  readonly #worst: Area;

  constructor(
    shared: Shared,
    { law, bound, kernel }: { law: ElementLaw | LineLaw; bound: BoundLaw; kernel: LawKernel },
  ) {
    const elements = [...shared.streams.values()][0]?.elements ?? 0;
    const blocks = Math.ceil(Math.min(elements, chunkElements) / blockElements);
    this.record = emptyLawRecord(law.id);
    this.bound = bound;
    this.#shared = shared;
    this.#law = law;
    this.#kernel = kernel;
    this.#constants = kernel.constants.map((name) => bound.constants[name] ?? Number.NaN);
    this.#totals = shared.layout.totals(total.words);
    this.#worst = shared.layout.records(law.scope === 'element' ? blocks * worstReals * 8 : 0);
  }

  /** `words`: the subject's base and head. */
  start(work: ChunkWork, groupSize: number, words: readonly [bigint, bigint] = [0n, 0n]): void {
    const { session, streams } = this.#shared;
    const parameters: Parameter[] = this.#law.operands.flatMap((operand) => [
      ...operandOf(streams.get(operand), work),
    ]);
    while (parameters.length < 3 * operandsMax) parameters.push(0n);
    for (let i = 0; i < constantsMax; i++) parameters.push(real(this.#constants[i] ?? 0));
    const { count } = work.chunk;
    parameters.push(whole(count), ...words, this.#worst.on(work), this.#totals.on(work));
    session.launch(this.#kernel.name, Math.ceil(count / groupSize), parameters);
  }

  stream(operand: Operand) {
    return this.#shared.streams.get(operand);
  }

  /** Adds the counts of a chunk and returns its totals. */
  takeTotals(work: ChunkWork): Uint32Array {
    const totals = this.#totals.words(work);
    this.record.judged += totals[total.judged] as number;
    this.record.broken += totals[total.broken] as number;
    this.record.notFinite += totals[total.notFinite] as number;
    return totals;
  }

  worstOf(work: ChunkWork): { readonly reals: Float64Array; readonly words: Uint32Array } {
    return { reals: this.#worst.reals(work), words: this.#worst.words(work) };
  }

  /** The operands' values of element `at` of a chunk, NaN where the sweep has no stream. */
  valuesAt(work: ChunkWork, at: number): readonly number[] {
    return this.#law.operands.map((operand) => {
      const stream = this.#shared.streams.get(operand);
      return stream ? lawValueAt(stream.dtype, viewOf(stream, work), at) : Number.NaN;
    });
  }
}

class ElementPass implements LawPass {
  readonly record: LawRecord;
  readonly #judge: Judge;
  readonly #law: ElementLaw;

  constructor(judge: Judge, law: ElementLaw) {
    this.record = judge.record;
    this.#judge = judge;
    this.#law = law;
  }

  start(work: ChunkWork): void {
    this.#judge.start(work, groupElements.judged);
  }

  take(work: ChunkWork): void {
    this.#judge.takeTotals(work);
    const { reals, words } = this.#judge.worstOf(work);
    let ratio = this.record.worst?.ratio ?? -1;
    let index = -1;
    for (
      let at = 0, start = 0;
      start < work.chunk.count;
      at += worstReals, start += blockElements
    ) {
      if (!((reals[at] as number) > ratio)) continue;
      ratio = reals[at] as number;
      index = indexIn(work, words[2 * (at + 1)] as number);
    }
    if (index >= 0) this.#takeWorst(work, index, ratio);
  }

  /** Judges the element here too: a GPU that finds another ratio is not to be believed. */
  #takeWorst(work: ChunkWork, index: number, ratio: number): void {
    const values = this.#judge.valuesAt(work, index);
    const { left, right } = this.#law.sides(values, this.#judge.bound.constants);
    if (ratioOf(left, right) !== ratio) throw new CudaError(this.#law.id, miscomputed);
    this.record.worst = { index: work.chunk.first + index, left, right, ratio, values };
  }
}

class LinePass implements LawPass {
  readonly record: LawRecord;
  readonly #judge: Judge;
  readonly #subject: 'w' | 'm' | 'v';

  constructor(judge: Judge, law: LineLaw) {
    this.record = judge.record;
    this.#judge = judge;
    this.#subject = law.subject(judge.bound.constants);
  }

  start(work: ChunkWork): void {
    const base = this.#judge.stream(`${this.#subject}A`);
    const head = this.#judge.stream(`${this.#subject}B`);
    if (base?.dtype !== 'f32' || head?.dtype !== 'f32') return;
    this.#judge.start(work, groupElements.lines, [dataOf(base, work), dataOf(head, work)]);
  }

  take(work: ChunkWork): void {
    const totals = this.#judge.takeTotals(work);
    this.#takeWorst(work, totals[total.firstBroken] as number, false);
    this.#takeWorst(work, totals[total.firstHeld] as number, true);
  }

  /** `mark`: the complement of the first line's index, 0 where there is none. */
  #takeWorst(work: ChunkWork, mark: number, holds: boolean): void {
    const { record } = this;
    const sides = lineSides(holds);
    if (mark === 0 || (record.worst && record.worst.ratio >= sides.ratio)) return;
    const line = indexIn(work, ~mark >>> 0);
    const values = this.#judge.valuesAt(work, line);
    record.worst = { index: work.chunk.first + line, ...sides, values };
  }
}
