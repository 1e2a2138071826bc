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
  readonly #record: SummaryRecord;
  readonly #digests: DigestTable;
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
    this.#record = emptySummaryRecord(dtype);
    this.#digests = new DigestTable(bytes);
    if (isNarrow(dtype)) this.#counted = { codes: [], counts: [] };
  }

  /** Takes the next part. */
  add(part: SummaryPart): void {
    const isFirst = this.#record.elements === 0;
    this.#takeSizes(part);
    this.#takeCounts(part.record);
    if (part.least < this.#least) this.#least = part.least;
    if (part.most > this.#most) this.#most = part.most;
    for (const sum of part.sums) this.#sums.add(sum);
    for (const sum of part.squares) this.#squares.add(sum);
    this.#digests.append(part.record.digests);
    if (!part.counted) return;
    if (isFirst) this.#counted = part.counted;
    else this.#addCodes(part.counted);
  }

  /** The record but for squares that need a second look. */
  finish(): SummaryRecord {
    const record = this.#record;
    record.digests = this.#digests.words();
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
    return squaresOfCounts(this.#record.dtype, this.#counted, centre);
  }

  #takeSizes({ record, largest, second }: SummaryPart): void {
    if (largest > this.#largest) {
      this.#second = Math.max(this.#largest, second);
      this.#largest = largest;
      this.#record.max1Index = record.max1Index;
    } else {
      this.#second = Math.max(this.#second, largest);
    }
  }

  #takeCounts(part: SummaryRecord): void {
    const record = this.#record;
    record.elements += part.elements;
    record.nan += part.nan;
    record.positiveInfinity += part.positiveInfinity;
    record.negativeInfinity += part.negativeInfinity;
    record.zeros += part.zeros;
    record.denormals += part.denormals;
    record.zeroBlocks += part.zeroBlocks;
    record.octavesExact = part.octavesExact;
    if (record.firstNonFinite < 0) record.firstNonFinite = part.firstNonFinite;
    for (let lane = 0; lane < part.laneOr.length; lane++) {
      record.laneOr[lane] = (record.laneOr[lane] as number) | (part.laneOr[lane] as number);
      record.laneAnd[lane] = (record.laneAnd[lane] as number) & (part.laneAnd[lane] as number);
    }
    addEach(record.laneCount, part.laneCount);
    addEach(record.octaves, part.octaves);
  }

  #addCodes({ codes, counts }: ValueCounts): void {
    if (!this.#totals) {
      this.#totals = new Float64Array(valuesOf(this.#record.dtype).length);
      this.#addCodes(this.#counted as ValueCounts);
    }
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] as number;
      this.#totals[code] = (this.#totals[code] as number) + (counts[i] as number);
    }
  }
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
