/**
 * What the exact rules compare: a few words of each tensor, kept from the last checkpoint that was
 * trusted.
 */
import { digestPage } from '../records/digest.ts';
import { blockElements } from '../records/grid.ts';
import { nonFiniteCount, type SummaryRecord } from '../records/summary.ts';

/** Bits of a float32 mantissa: the planes that are judged. */
const mantissaBits = 23;

const mantissaMask = 2 ** mantissaBits - 1;

/**
 * Nonzero elements without which a lane is not judged: a fair bit repeats itself 48 times with p =
 * 2^-47; 23 planes of 32 lanes, each 0 or 1, cost 10.5 bits of that.
 */
export const leastInLane = 48;

/** A tensor in a few words: what the exact rules compare. */
export interface ExactState {
  /** Every element is ±0. */
  readonly blank: boolean;
  /**
   * Whole blocks of 1,024 elements that are all ±0; 0 where the tensor has fewer than two blocks.
   */
  readonly zeroBlocks: number;
  /** Trailing mantissa planes that are 0 in every nonzero element, 0 … 23. */
  readonly zeroPlanes: number;
  /**
   * Per lane: mantissa planes above those that are the same in every nonzero element of the lane.
   * Empty where the tensor is too small for any lane to be judged.
   */
  readonly stuck: readonly number[];
  /**
   * Hash of the content, 16 hexadecimal digits; null where no digest table came with the record.
   */
  readonly digest: string | null;
}

/** The hash of hashes of a digest table; null of an empty one. */
export function foldDigests(table: Uint32Array): string | null {
  if (table.length === 0) return null;
  const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
  return digestPage(bytes)
    .map((word) => word.toString(16).padStart(8, '0'))
    .join('');
}

function trailingZeroPlanes(laneOr: Uint32Array): number {
  const any = laneOr.reduce((all, lane) => all | lane, 0);
  for (let plane = 0; plane < mantissaBits; plane++) if ((any >>> plane) & 1) return plane;
  return mantissaBits;
}

/**
 * @param digest hash of the content where the caller knows it and the record's table was dropped
 */
export function exactState(record: SummaryRecord, digest: string | null): ExactState {
  const zeroPlanes = trailingZeroPlanes(record.laneOr);
  const kept = (mantissaMask >>> zeroPlanes) << zeroPlanes;
  const stuck = Array.from(
    record.elements > record.laneOr.length * (leastInLane - 1) ? record.laneOr : [],
    (or, lane) => (((record.laneAnd[lane] as number) | ~or) & kept) >>> 0,
  );
  return {
    blank: record.zeros === record.elements,
    zeroBlocks: record.elements >= 2 * blockElements ? record.zeroBlocks : 0,
    zeroPlanes,
    stuck,
    digest: digest ?? foldDigests(record.digests),
  };
}

/** Elements that are not ±0; NaN and infinities count. */
export function nonZeroCount(record: SummaryRecord): number {
  return record.elements - record.zeros;
}

/** Is any element NaN or infinite? */
export function hasNonFinite(record: SummaryRecord): boolean {
  return nonFiniteCount(record) > 0;
}
