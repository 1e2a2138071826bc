/**
 * How parameters lie in flat vectors that are shared out between ranks. Padding and holes belong to
 * no parameter: what is not named here is never looked at.
 */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Shape, ShapeTable } from './stored-values.ts';

/** A run of a parameter's elements in one rank's flat vector. */
export interface Slice {
  readonly rank: number;
  /** Number of the flat vector. */
  readonly flat: number;
  /** First element in the rank's vector. */
  readonly start: number;
  readonly elements: number;
}

export interface FlatParameter extends Shape {
  readonly name: string;
  /** The flat vector that its first slice lies in: its counter and group are those of the vector. */
  readonly flat: number;
  /** In the order of its elements. */
  readonly slices: readonly Slice[];
}

export interface FlatLayout {
  readonly parameters: readonly FlatParameter[];
  /** Elements of the vectors up to the end of the last parameter, holes included. */
  readonly consumed: number;
}

/** Slices of one checkpoint: 100,000 parameters on 200 ranks. */
const slicesMost = 20_000_000;

/** Counts slices over all vectors of a checkpoint. */
export class SliceBudget {
  #left = slicesMost;

  /** Takes one. @throws LaikaError `limit-exceeded`. */
  spend(where: string): void {
    this.#left -= 1;
    if (this.#left >= 0) return;
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The parameters are cut into more than ${slicesMost} slices`,
      where,
    });
  }
}

export interface SharedVector {
  readonly flat: number;
  readonly shapes: ShapeTable;
  /** Elements that are skipped after each parameter; null: none. */
  readonly gaps: readonly number[] | null;
  /** Elements of each rank's share. */
  readonly partition: number;
  readonly ranks: number;
}

/**
 * ZeRO 1 and 2: parameters one after the other in one vector, which is cut into equal shares.
 * Elements past the last rank's share get no slice.
 */
export function layInShares(vector: SharedVector, budget: SliceBudget): FlatLayout {
  const { flat, shapes, gaps, partition, ranks } = vector;
  const parameters: FlatParameter[] = [];
  let at = 0;
  for (const [index, [name, shape]] of [...shapes].entries()) {
    const end = at + shape.elements;
    const slices: Slice[] = [];
    // One without a slice takes room as well, and each set of experts has them all.
    budget.spend(name);
    while (at < end && partition > 0) {
      const rank = Math.floor(at / partition);
      if (rank >= ranks) break;
      const elements = Math.min(end, (rank + 1) * partition) - at;
      slices.push({ rank, flat, start: at - rank * partition, elements });
      budget.spend(name);
      at += elements;
    }
    parameters.push({ name, ...shape, flat, slices });
    at = end + (gaps?.[index] ?? 0);
  }
  return { parameters, consumed: at };
}

/**
 * ZeRO 3: every parameter is cut into equal shares, the last of which is padded; a rank's shares
 * follow each other through its vectors, all of which have `lengths`.
 */
export function layEachInShares(
  shapes: Iterable<readonly [string, Shape]>,
  { lengths, ranks }: { lengths: readonly number[]; ranks: number },
  budget: SliceBudget,
): FlatLayout {
  const parameters: FlatParameter[] = [];
  const cursor = new VectorCursor(lengths);
  for (const [name, shape] of shapes) {
    const share = Math.ceil(shape.elements / ranks);
    const runs = cursor.take(share);
    const slices: Slice[] = [];
    for (let rank = 0; rank < ranks && rank * share < shape.elements; rank += 1) {
      let left = Math.min(share, shape.elements - rank * share);
      for (const { flat, start, elements } of runs) {
        if (left === 0) break;
        const real = Math.min(left, elements);
        slices.push({ rank, flat, start, elements: real });
        budget.spend(name);
        left -= real;
      }
    }
    parameters.push({ name, ...shape, flat: runs[0]?.flat ?? 0, slices });
  }
  return { parameters, consumed: cursor.consumed };
}

/** Runs through vectors that follow each other. */
class VectorCursor {
  readonly #lengths: readonly number[];
  #flat = 0;
  #at = 0;
  consumed = 0;

  constructor(lengths: readonly number[]) {
    this.#lengths = lengths;
  }

  /** The next elements, in as many runs as vectors they lie in; fewer where the vectors end. */
  take(elements: number): readonly { flat: number; start: number; elements: number }[] {
    const runs: { flat: number; start: number; elements: number }[] = [];
    this.consumed += elements;
    for (let left = elements; left > 0 && this.#flat < this.#lengths.length; ) {
      const length = this.#lengths[this.#flat] as number;
      const run = Math.min(left, length - this.#at);
      if (run > 0) runs.push({ flat: this.#flat, start: this.#at, elements: run });
      left -= run;
      this.#at += run;
      if (this.#at < length) continue;
      this.#flat += 1;
      this.#at = 0;
    }
    return runs;
  }
}
