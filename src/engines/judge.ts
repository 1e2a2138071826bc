/** Evaluates a law by calling it: the definition that every kernel is compared with. */
import type { BoundLaw, ElementLaw, LineLaw, Operand } from '../laws/law.ts';
import { lineElements } from '../records/grid.ts';
import { type LawRecord, ratioOf } from '../records/law-record.ts';

/** Consecutive elements of all streams, widened to float64. */
export interface Block {
  readonly first: number;
  readonly count: number;
  /** At least `count` values each; no entry where the sweep has no stream. */
  readonly columns: Partial<Readonly<Record<Operand, Float64Array>>>;
}

/** A block that starts at a line, with the stored words of float32 streams. */
export interface LineBlock extends Block {
  readonly words: Partial<Readonly<Record<Operand, Uint32Array>>>;
}

function loadElement(
  into: Float64Array,
  law: ElementLaw | LineLaw,
  at: number,
  block: Block,
): boolean {
  let finite = true;
  for (let i = 0; i < law.operands.length; i++) {
    const column = block.columns[law.operands[i] as Operand];
    into[i] = column ? (column[at] as number) : Number.NaN;
    if (column && !Number.isFinite(into[i])) finite = false;
  }
  return finite;
}

/** The operands' values of one element, NaN where the sweep has no stream. */
export function elementAt(law: ElementLaw | LineLaw, at: number, block: Block): readonly number[] {
  const element = new Float64Array(law.operands.length);
  loadElement(element, law, at, block);
  return [...element];
}

/** Judges the elements of a block one by one, in order. */
export function judgeElements(
  law: ElementLaw,
  { constants }: BoundLaw,
  { block, record }: { block: Block; record: LawRecord },
): void {
  const element = new Float64Array(law.operands.length);
  for (let i = 0; i < block.count; i++) {
    if (!loadElement(element, law, i, block)) {
      record.notFinite += 1;
      continue;
    }
    const { left, right } = law.sides(element, constants);
    const ratio = ratioOf(left, right);
    record.judged += 1;
    if (!(left <= right)) record.broken += 1;
    if (!record.worst || ratio > record.worst.ratio) {
      record.worst = { index: block.first + i, left, right, ratio, values: [...element] };
    }
  }
}

/** The two sides that a line's verdict stands for: broken where 1 ≤ 0 fails. */
export function lineSides(holds: boolean): { left: number; right: number; ratio: number } {
  const left = holds ? 0 : 1;
  return { left, right: 0, ratio: ratioOf(left, 0) };
}

/**
 * Judges the whole lines of a block. An element that is not finite takes no part in its line;
 * `judged` counts the finite elements of judged lines, `broken` lines, `notFinite` elements of
 * whole lines. `worst` is the first broken line, else the first judged one, with the values of its
 * first element. Nothing is judged where the subject is missing or not float32.
 */
export function judgeLines(
  law: LineLaw,
  { constants }: BoundLaw,
  { block, record }: { block: LineBlock; record: LawRecord },
): void {
  const subject = law.subject(constants);
  const base = block.words[`${subject}A`];
  const head = block.words[`${subject}B`];
  if (!base || !head) return;
  const element = new Float64Array(law.operands.length);
  const relevant = new Array<boolean>(lineElements).fill(false);
  for (let start = 0; start + lineElements <= block.count; start += lineElements) {
    const end = start + lineElements;
    let finite = 0;
    for (let i = start; i < end; i++) {
      const usable = loadElement(element, law, i, block);
      if (usable) finite += 1;
      relevant[i - start] = usable && law.relevant(element, constants);
    }
    record.notFinite += lineElements - finite;
    const holds = law.judgeLine(base.subarray(start, end), head.subarray(start, end), relevant);
    if (holds === null) continue;
    record.judged += finite;
    if (!holds) record.broken += 1;
    const sides = lineSides(holds);
    if (!record.worst || sides.ratio > record.worst.ratio) {
      const values = elementAt(law, start, block);
      record.worst = { index: block.first + start, ...sides, values };
    }
  }
}
