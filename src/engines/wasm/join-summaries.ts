/** Joins the parts of one stream's summary, in the order of the grid. */
import { type DType, isComplex } from '../../checkpoint/dtype.ts';
import { DigestTable } from '../../records/digest.ts';
import { PageSums } from '../../records/grid-sum.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import { isNarrow, valuesOf } from '../narrow-types.ts';
import { squaresOfCounts, type ValueCounts } from '../value-counts.ts';
import { fillFromCounts } from './counted-record.ts';
import type { SummaryPart } from './sweep-part.ts';

export class JoinedSummary {
  readonly #dtype: DType;
  readonly #bytes: number;
  /** That of the first part, to which further ones are added. */
  #record: SummaryRecord | null = null;
  /** Null until there is a second part. */
  #digests: DigestTable | null = null;
  readonly #sums = new PageSums();
  readonly #squares = new PageSums();
  #largest = -1;
  #second = -1;
  #least: number | bigint = Infinity;
  #most: number | bigint = -Infinity;
  /** The counts of the only part so far, or of several by code. */
  #counted: ValueCounts | null = null;
  #totals: Float64Array | null = null;

  /** `bytes`: logical bytes of the tensor. */
  constructor(dtype: DType, bytes: number) {
    this.#dtype = dtype;
    this.#bytes = bytes;
    if (isNarrow(dtype)) this.#counted = { codes: [], counts: [] };
  }

  /** Takes the next part, whose record becomes its own. */
  add(part: SummaryPart): void {
    const before = this.#record;
    const record = before ?? part.record;
    this.#record = record;
    this.#takeSizes(part, record);
    if (part.least < this.#least) this.#least = part.least;
    if (part.most > this.#most) this.#most = part.most;
    for (const sum of part.sums) this.#sums.add(sum);
    for (const sum of part.squares) this.#squares.add(sum);
    if (!before) {
      this.#counted = part.counted;
      return;
    }
    this.#addDigests(before.digests, part.record.digests);
    addCounts(before, part.record);
    if (part.counted) this.#addCodes(part.counted);
  }

  /** The record but for squares that need a second look. */
  finish(): SummaryRecord {
    const record = this.#record ?? emptySummaryRecord(this.#dtype);
    if (this.#digests) record.digests = this.#digests.words();
    if (this.#counted) {
      if (this.#totals) this.#counted = nonzero(this.#totals);
      fillFromCounts(record, this.#counted);
      return record;
    }
    const hasSum = !isComplex(record.dtype);
    record.sum = hasSum ? this.#sums.total() : Number.NaN;
    record.sumSquares = this.#squares.total();
    if (record.max1Index >= 0) {
      record.max1 = this.#largest;
      record.max2 = Math.max(0, this.#second);
      record.min = shown(this.#least);
      record.max = shown(this.#most);
    }
    return record;
  }

  /** Σ(x − centre)² of a type that is counted by value; null for others. After `finish`. */
  squaresOfCounts(centre: number): number | null {
    if (!this.#counted) return null;
    return squaresOfCounts(this.#dtype, this.#counted, centre);
  }

  #takeSizes({ record: found, largest, second }: SummaryPart, record: SummaryRecord): void {
    if (largest > this.#largest) {
      this.#second = Math.max(this.#largest, second);
      this.#largest = largest;
      record.max1Index = found.max1Index;
    } else {
      this.#second = Math.max(this.#second, largest);
    }
  }

  #addDigests(first: Uint32Array, next: Uint32Array): void {
    if (!this.#digests) {
      this.#digests = new DigestTable(this.#bytes);
      this.#digests.append(first);
    }
    this.#digests.append(next);
  }

  #addCodes({ codes, counts }: ValueCounts): void {
    if (!this.#totals) {
      this.#totals = new Float64Array(valuesOf(this.#dtype).length);
      this.#addCodes(this.#counted as ValueCounts);
    }
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] as number;
      this.#totals[code] = (this.#totals[code] as number) + (counts[i] as number);
    }
  }
}

/** Adds the counts and lanes of a later part. */
function addCounts(record: SummaryRecord, part: SummaryRecord): void {
  record.elements += part.elements;
  record.nan += part.nan;
  record.positiveInfinity += part.positiveInfinity;
  record.negativeInfinity += part.negativeInfinity;
  record.zeros += part.zeros;
  record.denormals += part.denormals;
  record.zeroBlocks += part.zeroBlocks;
  if (record.firstNonFinite < 0) record.firstNonFinite = part.firstNonFinite;
  for (let lane = 0; lane < part.laneOr.length; lane++) {
    record.laneOr[lane] = (record.laneOr[lane] as number) | (part.laneOr[lane] as number);
    record.laneAnd[lane] = (record.laneAnd[lane] as number) & (part.laneAnd[lane] as number);
  }
  addEach(record.laneCount, part.laneCount);
  addEach(record.octaves, part.octaves);
}

function addEach(into: Float64Array, part: Float64Array): void {
  for (let i = 0; i < part.length; i++) into[i] = (into[i] as number) + (part[i] as number);
}

function nonzero(totals: Float64Array): ValueCounts {
  const codes = [...totals.keys()].filter((code) => totals[code] !== 0);
  return { codes, counts: codes.map((code) => totals[code] as number) };
}

/** Minus zero as 0, and an exact integer as a number where that loses nothing. */
function shown(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value + 0;
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
