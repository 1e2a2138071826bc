/** How each law of a sweep is judged: by a kernel for float32 words, by one for columns, or by itself. */
import type { BoundLaw, ElementLaw, LineLaw, Operand } from '../../laws/law.ts';
import { sweptLaw } from '../../laws/laws.ts';
import { emptyLawRecord, type LawRecord } from '../../records/law-record.ts';
import { elementAt, judgeElements, judgeLines, lineSides } from '../judge.ts';
import type { Kernels } from './kernels.ts';
import type { LawBlock } from './law-block.ts';
import { type ElementKernel, elementKernels, type LineKernel, lineKernels } from './law-kernels.ts';
import type { LawSpan } from './law-span.ts';
import { lawAt, lawRecordBytes, lawSlots, nothingSkipped, ratioColumn } from './layout.ts';
import type { Views } from './views.ts';

interface Shared {
  readonly kernels: Kernels;
  readonly views: Views;
  readonly block: LawBlock;
  readonly span: LawSpan;
}

/** One bound law and its record. */
export interface Judge {
  readonly record: LawRecord;
  /** What it reads. */
  readonly operands: readonly Operand[];
  /** Judges the span at hand in one call; false where that cannot be, and blocks must be judged. */
  judgeSpan(): boolean;
  /** Judges the block that is loaded. */
  judge(): void;
  /** Call after every chunk, so that 32-bit counters do not overflow. */
  drain(): void;
}

/** Operands that a law reads, those of its lines' subject included. */
export function operandsOf(bound: BoundLaw): readonly Operand[] {
  const law = sweptLaw(bound.law);
  if (law.scope === 'element') return law.operands;
  const subject = law.subject(bound.constants);
  return [...law.operands, `${subject}A`, `${subject}B`];
}

export function judgeOf(shared: Shared, bound: BoundLaw, slot: number): Judge {
  const law = sweptLaw(bound.law);
  const { block } = shared;
  if (law.scope === 'element') {
    const kernel = slot < lawSlots ? elementKernels.get(law.id) : undefined;
    if (kernel) return new ElementJudge(shared, { law, bound, slot, kernel });
  } else {
    const kernel = slot < lawSlots ? lineKernels.get(law.id) : undefined;
    if (kernel) return new LineJudge(shared, { law, bound, slot, kernel });
  }
  const record = emptyLawRecord(law.id);
  return {
    record,
    operands: operandsOf(bound),
    judgeSpan: () => false,
    judge: () => {
      if (law.scope === 'element') judgeElements(law, bound, { block: block.values, record });
      else judgeLines(law, bound, { block: block.lines, record });
    },
    drain: () => {},
  };
}

/** A law with a kernel, and the slot of memory that is its own in this sweep. */
interface Placed<Law, Kernel> {
  readonly law: Law;
  readonly bound: BoundLaw;
  readonly slot: number;
  readonly kernel: Kernel;
}

/** Writes the constants in the kernel's order and returns their address. */
function placeConstants(
  views: Views,
  { bound, slot, kernel }: Placed<unknown, { readonly constants: readonly string[] }>,
): number {
  const at = lawAt(slot) + lawRecordBytes;
  for (const [i, name] of kernel.constants.entries()) {
    views.f64[(at >>> 3) + i] = bound.constants[name] ?? Number.NaN;
  }
  return at;
}

/**
 * A ratio up to here, even when it was rounded, changes no record whose worst is `worst`. Too small a
 * worst gives 0: its neighbours are not 2^-50 apart.
 */
function limitBelow(worst: number): number {
  const limit = Math.min(worst, 1) * (1 - 2 ** -50);
  return limit > 1e-290 ? limit : 0;
}

class ElementJudge implements Judge {
  readonly record: LawRecord;
  readonly #shared: Shared;
  readonly #placed: Placed<ElementLaw, ElementKernel>;
  readonly #at: number;
  readonly #constants: number;
  readonly #columns: readonly number[];
  readonly #skip: () => number;
  readonly operands: readonly Operand[];
  /** The kernel for float32 words, where it can judge this sweep. */
  readonly #float32: ElementKernel['float32'] | null;
  #seen = 0;

  constructor(shared: Shared, placed: Placed<ElementLaw, ElementKernel>) {
    const { views, block } = shared;
    this.record = emptyLawRecord(placed.law.id);
    this.#shared = shared;
    this.#placed = placed;
    this.#at = lawAt(placed.slot);
    this.#constants = placeConstants(views, placed);
    this.#columns = placed.kernel.operands.map((operand) => block.columnAt(operand));
    this.#skip = block.skipperOf(placed.law.operands);
    this.operands = placed.law.operands;
    const { float32 } = placed.kernel;
    const hasMaximum = placed.bound.constants.maximum === 1;
    this.#float32 =
      float32 && !hasMaximum && hasAll(shared.span, placed.law, float32.operands) ? float32 : null;
    views.u32.fill(0, this.#at >>> 2, (this.#at >>> 2) + 2);
    views.f64[(this.#at + 8) >>> 3] = -1;
  }

  judgeSpan(): boolean {
    const { kernels, span, views } = this.#shared;
    if (!this.#float32 || !span.isWhole) return false;
    const { name, operands } = this.#float32;
    const words = operands.map((operand) => span.wordsAt(operand));
    kernels[name](span.count, this.#constants, this.#at, span.start, ...words);
    this.#seen += span.count;
    const worst = views.int(this.#at + 16);
    if (worst < 0) return true;
    const { law, bound } = this.#placed;
    const values = span.elementAt(law.operands, worst);
    const { left, right } = law.sides(values, bound.constants);
    const ratio = views.real(this.#at + 8);
    this.record.worst = { index: span.origin + worst, left, right, ratio, values };
    return true;
  }

  judge(): void {
    const { kernels, block } = this.#shared;
    const { count } = block;
    const judge = kernels[this.#placed.kernel.name];
    const limit = limitBelow(this.#shared.views.real(this.#at + 8));
    judge(count, this.#constants, this.#skip(), ratioColumn, limit, ...this.#columns);
    this.#seen += count;
    const worst = kernels.tally(ratioColumn, count, this.#at);
    if (worst >= 0) this.#takeWorst(worst);
  }

  drain(): void {
    const { views } = this.#shared;
    const judged = views.uint(this.#at);
    this.record.judged += judged;
    this.record.broken += views.uint(this.#at + 4);
    this.record.notFinite += this.#seen - judged;
    this.#seen = 0;
    views.u32.fill(0, this.#at >>> 2, (this.#at >>> 2) + 2);
  }

  #takeWorst(at: number): void {
    const { block, views } = this.#shared;
    const { law, bound } = this.#placed;
    const values = elementAt(law, at, block.values);
    const { left, right } = law.sides(values, bound.constants);
    const ratio = views.real(this.#at + 8);
    this.record.worst = { index: block.first + at, left, right, ratio, values };
  }
}

class LineJudge implements Judge {
  readonly record: LawRecord;
  readonly #shared: Shared;
  readonly #placed: Placed<LineLaw, LineKernel>;
  /** The subject at base and head. */
  readonly #subject: readonly [Operand, Operand];
  readonly #at: number;
  readonly #constants: number;
  readonly #columns: readonly number[];
  readonly #skip: () => number;
  readonly operands: readonly Operand[];
  /** Operands that must be finite before lines are judged without looking at each element. */
  readonly #present: readonly Operand[];
  /** What the kernel for float32 words reads; null where some words are of another type. */
  readonly #float32: readonly Operand[] | null;

  constructor(shared: Shared, placed: Placed<LineLaw, LineKernel>) {
    const { views, block } = shared;
    this.record = emptyLawRecord(placed.law.id);
    this.#shared = shared;
    this.#placed = placed;
    const letter = placed.law.subject(placed.bound.constants);
    this.#subject = [`${letter}A`, `${letter}B`];
    this.#at = lawAt(placed.slot);
    this.#constants = placeConstants(views, placed);
    this.#columns = placed.kernel.operands.map((operand) => block.columnAt(operand));
    this.#skip = block.skipperOf(placed.law.operands);
    this.operands = operandsOf(placed.bound);
    this.#present = placed.law.operands.filter((operand) => shared.span.has(operand));
    const isFloat32 = shared.span.hasWords([...this.#subject, ...this.#present]);
    const { operands } = placed.kernel.float32;
    this.#float32 = isFloat32 ? [...this.#subject, ...operands] : null;
    this.#reset();
  }

  judgeSpan(): boolean {
    const { kernels, span } = this.#shared;
    if (!span.isWhole || !this.#float32) return false;
    if (!this.#present.every((operand) => span.isFinite(operand))) return false;
    const { name } = this.#placed.kernel.float32;
    const words = this.#float32.map((operand) => span.wordsAt(operand));
    kernels[name](span.count, this.#constants, this.#at, span.start, ...words);
    this.#takeSpanWorst(this.#at + 12, true);
    this.#takeSpanWorst(this.#at + 16, false);
    return true;
  }

  #takeSpanWorst(at: number, holds: boolean): void {
    const { views, span } = this.#shared;
    const line = views.int(at);
    if (line < span.start) return;
    const sides = lineSides(holds);
    if (this.record.worst && this.record.worst.ratio >= sides.ratio) return;
    const values = span.elementAt(this.#placed.law.operands, line);
    this.record.worst = { index: span.origin + line, ...sides, values };
  }

  judge(): void {
    const { kernels, block } = this.#shared;
    const [base, head] = [block.wordsAt(this.#subject[0]), block.wordsAt(this.#subject[1])];
    if (base === null || head === null) return;
    const { name, words } = this.#placed.kernel;
    const addresses = words.length === 2 ? [base, head] : [head];
    const { count, start } = block;
    const column = this.#skip();
    const skip = column === nothingSkipped ? 0 : column;
    kernels[name](count, this.#constants, skip, this.#at, start, ...addresses, ...this.#columns);
    this.#takeWorst(this.#at + 12, true);
    this.#takeWorst(this.#at + 16, false);
  }

  drain(): void {
    const { views } = this.#shared;
    this.record.judged += views.uint(this.#at);
    this.record.broken += views.uint(this.#at + 4);
    this.record.notFinite += views.uint(this.#at + 8);
    this.#reset();
  }

  #reset(): void {
    const at = this.#at >>> 2;
    this.#shared.views.u32.fill(0, at, at + 3);
    this.#shared.views.i32.fill(-1, at + 3, at + 5);
  }

  /** The first line of its kind, while its values are in the columns. */
  #takeWorst(at: number, holds: boolean): void {
    const { views, block } = this.#shared;
    const line = views.int(at);
    if (line < block.start) return;
    const sides = lineSides(holds);
    if (this.record.worst && this.record.worst.ratio >= sides.ratio) return;
    const values = elementAt(this.#placed.law, line - block.start, block.values);
    this.record.worst = { index: block.first + line - block.start, ...sides, values };
  }
}

/** Are all operands of the kernel float32, and are there no others that the law would look at? */
function hasAll(span: LawSpan, law: ElementLaw, operands: readonly Operand[]): boolean {
  const others = law.operands.filter((operand) => !operands.includes(operand));
  return span.hasWords(operands) && !others.some((operand) => span.has(operand));
}
