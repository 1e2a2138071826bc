/**
 * Where things lie in the memory that host and kernels share. It never grows, so views stay valid,
 * and pages that are not touched cost nothing. Kernels take addresses as arguments; the offsets
 * inside the state of a stream are those of kernels/wasm/state.ts.
 */

/** The whole memory: 64 MiB, in WebAssembly pages. */
export const memoryPages = 1024;

/** Elements of one law block: what is widened and judged while it is in cache. */
export const lawBlockElements = 1024;

/** Elements of all streams that laws see one after the other; most of them stay in cache. */
export const lawSpanElements = 65_536;

/** Elements that movement sees at once: no more rows end in them than it has room for. */
export const movementSpanElements = 16_384;

const kib = 1024;

/** Streams of one sweep: more than there are operands. */
export const streamSlots = 16;

/** State of the stream in `slot`. */
export function stateAt(slot: number): number {
  return 64 * kib + slot * 8 * kib;
}

/** Laws of one sweep that kernels can judge; more are judged by calling them. */
export const lawSlots = 256;

/** 64 bytes of record, then constants. */
export function lawAt(slot: number): number {
  return 192 * kib + slot * kib;
}

/** Bytes of a law's record before its constants. */
export const lawRecordBytes = 64;

/** Values of one block of the stream in `slot`; whole vectors may reach 32 bytes past the block. */
export function columnAt(slot: number): number {
  return 448 * kib + slot * 9 * kib;
}

/** Columns that belong to no stream. */
export const missingColumn = 592 * kib;
export const nothingSkipped = 601 * kib;
export const skipColumn = 610 * kib;
export const ratioColumn = 619 * kib;

/** A record and a 16-byte pattern for the comparison of copies. */
export const copyRecordAt = 630 * kib;
export const zeroMaskAt = 631 * kib;

/** Totals of the byte counters: 256 u32. */
export const byteTotalsAt = 632 * kib;

/** A fresh state, which is copied over each chunk's. */
export const freshStateAt = 634 * kib;

/** Digests of one chunk: up to 4 MiB / 4 KiB · 8 bytes, and scratch. */
export const digestsAt = 640 * kib;

/** Codes (u16) and counts (u32) of up to 65,536 values. */
export const codesAt = 649 * kib;
export const countsAt = 777 * kib;

/** Counters of the stream in `slot`: 65,536 u32, or 32 tables of 256. */
export function countersAt(slot: number): number {
  return 1040 * kib + slot * counterBytes;
}

/** Bytes of one stream's counters. */
export const counterBytes = 256 * kib;

/**
 * What weights did, in the form of a stream's state, then the Δ of one block as float32, their
 * squares as float64, the sums of rows that end in one span, and ΣΔ² of its blocks; as in
 * kernels/wasm/movement.ts.
 */
export const movementAt = 5136 * kib;

/** Offsets inside it, beside those of a state. */
export const movement = {
  rowSum: 96,
  ratioCount: 104,
  changed: 108,
  rowSums: 24 * kib,
  blockSquares: 152 * kib,
} as const;

/** Chunks of all streams, each with `slackBytes` after it. */
export const dataAt = 5296 * kib;
export const slackBytes = 4096;

/** Offsets inside a state. */
export const state = {
  pageSum: 0,
  pageSquares: 8,
  max1: 16,
  max2: 24,
  least: 32,
  most: 40,
  leastInteger: 48,
  mostInteger: 56,
  max1Index: 64,
  firstNonFinite: 68,
  nan: 72,
  positiveInfinity: 76,
  negativeInfinity: 80,
  zeros: 84,
  denormals: 88,
  zeroBlocks: 92,
  laneOr: 128,
  laneAnd: 256,
  laneCount: 384,
  octaves: 1024,
  end: 5120,
} as const;
