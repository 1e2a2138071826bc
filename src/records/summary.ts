/**
 * The record of the `summary` pass: one tensor by itself.
 * Statistics are over finite elements; NaN and infinities are counted apart and enter nothing else.
 * A boolean is 1 for every byte but 0. A complex element is NaN if either part is, else infinite if
 * either part is (positive where a part is +∞), subnormal if a part is and it is finite, zero if both
 * are; it has counts, zero blocks, digests and `sumSquares` (Σ|z|²) alone: min, max and sum are NaN.
 */
import type { DType } from '../checkpoint/dtype.ts';

const lanes = 32;
const octaveCount = 256;
const noDigests = new Uint32Array();

export interface SummaryRecord {
  readonly dtype: DType;
  elements: number;
  nan: number;
  positiveInfinity: number;
  negativeInfinity: number;
  /** ±0. */
  zeros: number;
  /** Subnormal in the tensor's own type. */
  denormals: number;
  /** Index of the first NaN or infinity; −1 where there is none. */
  firstNonFinite: number;
  /** Smallest and largest finite value, −0 shown as 0; NaN where no element is finite. 64-bit integers past 2^53 are bigint. */
  min: number | bigint;
  max: number | bigint;
  /**
   * Largest |x| (of its float64 value) with the index of its first occurrence, and the second largest
   * (equal values give max2 = max1). 0, −1 and 0 where no element is finite; of one element max2 is 0.
   */
  max1: number;
  max1Index: number;
  max2: number;
  /** Σx and Σx² in float64, in grid order. |error| ≤ 600 · 2^-53 · Σ|x| (Σx² likewise). 8- and 16-bit types: from exact counts. */
  sum: number;
  sumSquares: number;
  /** Σ(x − mean)², measured apart where |mean| ≫ σ would cancel it; else null. */
  centredSquares: number | null;
  /**
   * The power of two by which x was multiplied before it was squared for `sumSquares` and
   * `centredSquares`: 1, but for float64 tensors whose squares leave the range of a double.
   */
  squareScale: number;
  /**
   * Elements by the biased exponent of their float32 value, sign ignored (index 0: zero and subnormal;
   * index 255: float64 values that no float32 can hold).
   */
  readonly octaves: Float64Array;
  /** False: octaves count every 8th block only. */
  octavesExact: boolean;
  /** Per lane (flat index mod 32): OR, AND and count over the float32 bits of nonzero finite elements. */
  readonly laneOr: Uint32Array;
  readonly laneAnd: Uint32Array;
  readonly laneCount: Float64Array;
  /** Whole blocks of 1,024 elements that are all ±0. */
  zeroBlocks: number;
  /** Two 32-bit words (low, high) for every 4 KiB of the logical bytes, the last one partial. */
  digests: Uint32Array;
}

/** The record of no elements: every count 0, `laneAnd` all ones. */
export function emptySummaryRecord(dtype: DType): SummaryRecord {
  // One buffer for all tables: a checkpoint may have a hundred thousand tensors.
  const tables = new ArrayBuffer(8 * octaveCount + 16 * lanes);
  const words = 8 * octaveCount + 8 * lanes;
  return {
    dtype,
    elements: 0,
    nan: 0,
    positiveInfinity: 0,
    negativeInfinity: 0,
    zeros: 0,
    denormals: 0,
    firstNonFinite: -1,
    min: Number.NaN,
    max: Number.NaN,
    max1: 0,
    max1Index: -1,
    max2: 0,
    sum: 0,
    sumSquares: 0,
    centredSquares: null,
    squareScale: 1,
    octaves: new Float64Array(tables, 0, octaveCount),
    octavesExact: true,
    laneOr: new Uint32Array(tables, words, lanes),
    laneAnd: new Uint32Array(tables, words + 4 * lanes, lanes).fill(0xffffffff),
    laneCount: new Float64Array(tables, 8 * octaveCount, lanes),
    zeroBlocks: 0,
    digests: noDigests,
  };
}

/** Mean over finite elements; NaN where there are none. */
export function meanOf(record: SummaryRecord): number {
  return record.sum / finiteCount(record);
}

/** Population standard deviation over finite elements. */
export function stdOf(record: SummaryRecord): number {
  const n = finiteCount(record);
  if (n === 0) return Number.NaN;
  const sum = record.sum * record.squareScale;
  const squares = record.centredSquares ?? record.sumSquares - (sum * sum) / n;
  return Math.sqrt(Math.max(0, squares) / n) / record.squareScale;
}

/** Euclidean norm over finite elements. */
export function l2Of(record: SummaryRecord): number {
  return Math.sqrt(record.sumSquares) / record.squareScale;
}

export function finiteCount(record: SummaryRecord): number {
  return record.elements - nonFiniteCount(record);
}

export function nonFiniteCount(record: SummaryRecord): number {
  return record.nan + record.positiveInfinity + record.negativeInfinity;
}
