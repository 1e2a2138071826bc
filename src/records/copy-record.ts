/** The record of the `copy` pass: two tensors that must agree bit for bit, or after rounding. */

export interface CopyRecord {
  compared: number;
  different: number;
  /** Index of the first element that differs, −1 where none does. */
  first: number;
  /** Stored bits there: what the copy should hold, and what it holds. */
  expectedBits: bigint;
  foundBits: bigint;
  /** Elements of the second tensor that are ±0: a tensor that vanished differs from one that moved. */
  zerosFound: number;
}

export function emptyCopyRecord(): CopyRecord {
  return { compared: 0, different: 0, first: -1, expectedBits: 0n, foundBits: 0n, zerosFound: 0 };
}

/** Merges `part` (later elements) into `into`. */
export function mergeCopyRecord(into: CopyRecord, part: CopyRecord): void {
  into.compared += part.compared;
  into.different += part.different;
  into.zerosFound += part.zerosFound;
  if (into.first < 0 && part.first >= 0) {
    into.first = part.first;
    into.expectedBits = part.expectedBits;
    into.foundBits = part.foundBits;
  }
}
