/** Inputs and expectations that NumPy made: test/fixtures/engines/make.py. */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import { decodeNumber, type EncodedNumber } from '../../src/records/numbers.ts';
import type { SummaryRecord } from '../../src/records/summary.ts';
import { wordAt } from './seeded.ts';

export interface ExpectedSummary {
  readonly nan: number;
  readonly positiveInfinity: number;
  readonly negativeInfinity: number;
  readonly zeros: number;
  readonly denormals: number;
  readonly zeroBlocks: number;
  readonly firstNonFinite: number;
  readonly sumSquares: EncodedNumber;
  readonly l2: EncodedNumber;
  /** CRC-32 of the table; left out for long tensors. */
  readonly digests?: number;
  /** From here on: real types. `min` and `max` are decimal strings past 2^53. */
  readonly min?: EncodedNumber;
  readonly max?: EncodedNumber;
  readonly max1?: number;
  readonly max2?: number;
  readonly max1Index?: number;
  readonly sum?: EncodedNumber;
  readonly sumAbs?: EncodedNumber;
  readonly octavesExact?: boolean;
  /** CRC-32 of 256 float64, and of 32 u32, u32 and float64. */
  readonly octaves?: number;
  readonly laneOr?: number;
  readonly laneAnd?: number;
  readonly laneCount?: number;
}

export interface SummaryCase {
  readonly dtype: DType;
  readonly elements: number;
  readonly seed: number;
  readonly and: string;
  readonly or: string;
  readonly set: readonly (readonly [number, string])[];
  readonly expected: ExpectedSummary;
}

export function readVectors<T>(name: string): T {
  const url = new URL(`../fixtures/engines/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as T;
}

function wordsOf(code: string, count: number): number[] {
  const value = BigInt(`0x${code}`);
  return Array.from({ length: count }, (_, i) => Number((value >> BigInt(32 * i)) & 0xffffffffn));
}

/** The logical bytes of a case, which is made from its seed. */
export function bytesOf(each: Omit<SummaryCase, 'expected'>): Uint8Array {
  const bits = dtypeBits[each.dtype];
  const per = Math.max(1, bits / 32);
  const and = wordsOf(each.and, per);
  const or = wordsOf(each.or, per);
  const words = new Uint32Array(each.elements * per);
  for (let i = 0; i < words.length; i++) {
    const j = i % per;
    words[i] = (wordAt(each.seed, i) & (and[j] as number)) | (or[j] as number);
  }
  for (const [index, code] of each.set) words.set(wordsOf(code, per), index * per);
  if (bits >= 32) return new Uint8Array(words.buffer);
  if (bits === 16) return new Uint8Array(Uint16Array.from(words).buffer);
  if (bits === 8) return Uint8Array.from(words);
  return Uint8Array.from(
    { length: words.length / 2 },
    (_, i) => (words[2 * i] as number) | ((words[2 * i + 1] as number) << 4),
  );
}

/** CRC-32 of an array's bytes. */
export function checksum(array: Uint32Array | Float64Array): number {
  return crc32(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
}

/** What a record says, in the shape of an expectation: everything that must be equal exactly. */
export function exactPart(record: SummaryRecord, expected: ExpectedSummary) {
  const counts = {
    nan: record.nan,
    positiveInfinity: record.positiveInfinity,
    negativeInfinity: record.negativeInfinity,
    zeros: record.zeros,
    denormals: record.denormals,
    zeroBlocks: record.zeroBlocks,
    firstNonFinite: record.firstNonFinite,
    ...(expected.digests === undefined ? {} : { digests: checksum(record.digests) }),
  };
  if (expected.min === undefined) return counts;
  return {
    ...counts,
    min: shown(record.min),
    max: shown(record.max),
    max1: record.max1,
    max2: record.max2,
    max1Index: record.max1Index,
    octavesExact: record.octavesExact,
    octaves: checksum(record.octaves),
    laneOr: checksum(record.laneOr),
    laneAnd: checksum(record.laneAnd),
    laneCount: checksum(record.laneCount),
  };
}

/**
 * As the fixtures write numbers: exact integers past 2^53 as decimal strings, others as doubles.
 */
function shown(value: number | bigint): EncodedNumber {
  if (typeof value === 'bigint') return value.toString();
  return Number.isNaN(value) ? 'NaN' : value;
}

/** The exact part of an expectation. */
export function exactExpectation(expected: ExpectedSummary): object {
  const { sum: _sum, sumAbs: _sumAbs, sumSquares: _squares, l2: _l2, ...exact } = expected;
  return exact;
}

/** A number of a fixture. */
export function real(value: EncodedNumber | undefined): number {
  return decodeNumber(value) ?? Number.NaN;
}
