/**
 * The summary pass of the reference engine: every field from its definition, element by element.
 */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import { DigestTable, digestPage } from '../../records/digest.ts';
import {
  blockElements,
  digestBytes,
  octaveStride,
  pageElements,
  smallTensorBytes,
} from '../../records/grid.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import { float32Bits } from '../float32-bits.ts';
import { isNarrow, smallestNormal } from '../narrow-types.ts';
import { squaresOfCounts, sumOfCounts, type ValueCounts } from '../value-counts.ts';
import { BlockSums } from './block-sums.ts';
import { type ComplexType, codeAt, partsAt, partType, type Real, realAt } from './decode.ts';

export class ReferenceSummary {
  readonly #record: SummaryRecord;
  readonly #digests: DigestTable;
  readonly #sums: BlockSums;
  readonly #squares: BlockSums;
  /** How often each code occurs; null for types that are not counted by value. */
  readonly #counts: Float64Array | null;
  readonly #smallestNormal: number;
  #least: Real | null = null;
  #most: Real | null = null;
  #zerosInBlock = 0;

  constructor(dtype: DType, elements: number) {
    const bits = dtypeBits[dtype];
    const bytes = Math.ceil((elements * bits) / 8);
    this.#record = emptySummaryRecord(dtype);
    this.#record.octavesExact = isNarrow(dtype) || isComplex(dtype) || bytes <= smallTensorBytes;
    this.#digests = new DigestTable(bytes);
    this.#sums = new BlockSums(pageElements(bits));
    this.#squares = new BlockSums(pageElements(bits));
    this.#counts = isNarrow(dtype) ? new Float64Array(2 ** bits) : null;
    this.#smallestNormal = smallestNormal(
      isComplex(dtype) ? partType(dtype as ComplexType) : dtype,
    );
  }

  /** Takes the next `count` elements; every call but the last brings whole 4 KiB. */
  add(bytes: Uint8Array, count: number): void {
    const { dtype } = this.#record;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += digestBytes) {
      this.#digests.append(digestPage(bytes.subarray(at, at + digestBytes)));
    }
    for (let i = 0; i < count; i++) {
      if (isComplex(dtype)) this.#addComplex(partsAt(dtype as ComplexType, view, i));
      else this.#addReal(realAt(dtype, view, i));
      const counts = this.#counts;
      if (!counts) continue;
      const code = codeAt(dtype, view, i);
      counts[code] = (counts[code] as number) + 1;
    }
  }

  /** The record but for squares that need a second sweep. */
  finish(): SummaryRecord {
    const record = this.#record;
    record.sum = this.#sums.total();
    record.sumSquares = this.#squares.total();
    const counted = this.valueCounts();
    if (counted) {
      record.sum = sumOfCounts(record.dtype, counted);
      record.sumSquares = squaresOfCounts(record.dtype, counted, 0);
    }
    if (isComplex(record.dtype)) record.sum = Number.NaN;
    if (this.#least !== null) record.min = shown(this.#least);
    if (this.#most !== null) record.max = shown(this.#most);
    record.digests = this.#digests.words();
    return record;
  }

  /** Every code with its count, for types that are counted by value. */
  valueCounts(): ValueCounts | null {
    return this.#counts && { codes: this.#counts.map((_, code) => code), counts: this.#counts };
  }

  #addComplex([real, imaginary]: readonly [number, number]): void {
    const parts = [real, imaginary];
    const hasNaN = parts.some(Number.isNaN);
    const isInfinite = parts.some((part) => Math.abs(part) === Infinity);
    if (hasNaN || isInfinite) {
      this.#addNonFinite(hasNaN ? Number.NaN : parts.includes(Infinity) ? Infinity : -Infinity);
      return;
    }
    if (parts.some((part) => this.#isSubnormal(part))) this.#record.denormals += 1;
    this.#squares.add(real * real + imaginary * imaginary);
    this.#endElement(real === 0 && imaginary === 0);
  }

  #addReal(value: Real): void {
    const x = Number(value);
    if (!Number.isFinite(x)) {
      this.#addNonFinite(x);
      return;
    }
    if (this.#isSubnormal(x)) this.#record.denormals += 1;
    if (this.#least === null || value < this.#least) this.#least = value;
    if (this.#most === null || value > this.#most) this.#most = value;
    this.#addSize(Math.abs(x));
    this.#addBits(x);
    this.#sums.add(x);
    this.#squares.add(x * x);
    this.#endElement(x === 0);
  }

  #addNonFinite(x: number): void {
    const record = this.#record;
    if (Number.isNaN(x)) record.nan += 1;
    else if (x > 0) record.positiveInfinity += 1;
    else record.negativeInfinity += 1;
    if (record.firstNonFinite < 0) record.firstNonFinite = record.elements;
    this.#sums.add(0);
    this.#squares.add(0);
    this.#endElement(false);
  }

  #isSubnormal(x: number): boolean {
    return x !== 0 && Math.abs(x) < this.#smallestNormal;
  }

  #addSize(size: number): void {
    const record = this.#record;
    if (record.max1Index < 0 || size > record.max1) {
      record.max2 = record.max1;
      record.max1 = size;
      record.max1Index = record.elements;
    } else if (size > record.max2) {
      record.max2 = size;
    }
  }

  #addBits(x: number): void {
    const record = this.#record;
    const bits = float32Bits(x);
    const lane = record.elements % record.laneCount.length;
    const block = Math.floor(record.elements / blockElements);
    const octave = (bits >>> 23) & 255;
    if (record.octavesExact || block % octaveStride === 0) {
      record.octaves[octave] = (record.octaves[octave] as number) + 1;
    }
    if (x === 0) return;
    record.laneOr[lane] = (record.laneOr[lane] as number) | bits;
    record.laneAnd[lane] = (record.laneAnd[lane] as number) & bits;
    record.laneCount[lane] = (record.laneCount[lane] as number) + 1;
  }

  #endElement(isZero: boolean): void {
    const record = this.#record;
    record.elements += 1;
    if (isZero) {
      record.zeros += 1;
      this.#zerosInBlock += 1;
    }
    if (record.elements % blockElements !== 0) return;
    if (this.#zerosInBlock === blockElements) record.zeroBlocks += 1;
    this.#zerosInBlock = 0;
  }
}

/** Minus zero as 0, and an exact integer as a number where that loses nothing. */
function shown(value: Real): Real {
  if (typeof value === 'number') return value + 0;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
