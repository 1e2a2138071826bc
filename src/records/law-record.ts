/** What one law found on one tensor (passes `moments` and `pair`), and how two parts of a tensor merge. */

export interface Worst {
  /** Flat logical index of the element (or of the first element of the line). */
  readonly index: number;
  readonly left: number;
  readonly right: number;
  /** left / right; 0 where left ≤ 0; +∞ where the law is broken and the quotient says nothing. */
  readonly ratio: number;
  /** The operands' values there, in the order of the law's `operands`. */
  readonly values: readonly number[];
}

export interface LawRecord {
  readonly law: string;
  /** Elements judged. */
  judged: number;
  /** Elements (or lines) for which `!(left <= right)`. */
  broken: number;
  /** Elements left to `finite-values` because an operand is not finite. */
  notFinite: number;
  /** The largest ratio; ties go to the smallest index. Null until an element was judged. */
  worst: Worst | null;
}

export function emptyLawRecord(law: string): LawRecord {
  return { law, judged: 0, broken: 0, notFinite: 0, worst: null };
}

/** How bad an element is: what `worst` maximises. */
export function ratioOf(left: number, right: number): number {
  const broken = !(left <= right);
  const ratio = left <= 0 ? 0 : left / right;
  if (broken) return ratio >= 1 ? ratio : Infinity;
  return Number.isNaN(ratio) ? 0 : ratio;
}

/** Merges `part` (later elements) into `into`. */
export function mergeLawRecord(into: LawRecord, part: LawRecord): void {
  into.judged += part.judged;
  into.broken += part.broken;
  into.notFinite += part.notFinite;
  if (part.worst && (!into.worst || part.worst.ratio > into.worst.ratio)) into.worst = part.worst;
}
