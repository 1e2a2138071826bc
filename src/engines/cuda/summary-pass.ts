/** The summary of one stream: kernels look at blocks, the host joins them in grid order. */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import { DigestTable } from '../../records/digest.ts';
import {
  blockElements,
  chunkElements,
  digestBytes,
  octaveStride,
  pageElements,
  smallTensorBytes,
} from '../../records/grid.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../records/summary.ts';
import { isNarrow, smallestNormal } from '../narrow-types.ts';
import { type ComplexType, partType } from '../reference/decode.ts';
import { BlockTotals, LargestSizes } from './block-records.ts';
import { groupDigests, groupElements, type KernelName, real, whole } from './kernels.ts';
import { NarrowCounts } from './narrow-counts.ts';
import type { CudaSession } from './session.ts';
import {
  type Area,
  type ChunkWork,
  type CudaPass,
  type CudaStream,
  chunkBytes,
  dataOf,
  indexIn,
  type ResultLayout,
} from './work.ts';

const wideKernels: Partial<
  Record<DType, { readonly summarise: KernelName; readonly squares: KernelName }>
> = {
  f32: { summarise: 'summariseF32', squares: 'squaresF32' },
  f64: { summarise: 'summariseF64', squares: 'squaresF64' },
  i32: { summarise: 'summariseI32', squares: 'squaresI32' },
  u32: { summarise: 'summariseU32', squares: 'squaresU32' },
  i64: { summarise: 'summariseI64', squares: 'squaresI64' },
  u64: { summarise: 'summariseU64', squares: 'squaresU64' },
};

const complexKernels = {
  c32: 'summariseC32',
  c64: 'summariseC64',
  c128: 'summariseC128',
} as const;

/** Is the type one that kernels summarise? */
export function isSummarised(dtype: DType): boolean {
  return isNarrow(dtype) || isComplex(dtype) || wideKernels[dtype] !== undefined;
}

function kernelOf(dtype: DType): KernelName {
  if (isComplex(dtype)) return complexKernels[dtype as ComplexType];
  const bits = dtypeBits[dtype] as 16 | 8 | 4;
  return wideKernels[dtype]?.summarise ?? `summariseCode${bits}`;
}

/** Offsets of a chunk's totals and of a block's record, in words and float64. */
const total = {
  nan: 0,
  positive: 1,
  negative: 2,
  zeros: 3,
  denormals: 4,
  zeroBlocks: 5,
  first: 6,
  laneOr: 32,
  laneAnd: 64,
  laneCount: 96,
  octaves: 128,
  words: 384,
} as const;
const block = { sum: 0, squares: 1, least: 2, most: 3, max1: 4, max2: 5, index: 6 } as const;
const integers = { least: 7, most: 8 } as const;
const blockReals = 9;

const signBit = 2n ** 63n;

/** Chunks of one stream once more. */
export interface SentChunks {
  /** They are on the GPU when they come. */
  readonly sent: AsyncIterable<ChunkWork>;
  /** Brings back what kernels left of a chunk. */
  readonly receive: (work: ChunkWork) => Promise<void>;
}

export interface SummaryShared {
  readonly session: CudaSession;
  readonly layout: ResultLayout;
  /** Elements after which 32-bit counters are emptied; for tests. */
  readonly countLimit?: number | undefined;
}

export class SummaryPass implements CudaPass {
  readonly record: SummaryRecord;
  readonly #session: CudaSession;
  readonly #stream: CudaStream;
  readonly #totals: Area;
  readonly #blocks: Area;
  readonly #digestArea: Area;
  readonly #digests: DigestTable;
  readonly #sums: BlockTotals;
  readonly #squares: BlockTotals;
  readonly #largest = new LargestSizes();
  /** Null for types that are not counted by value. */
  readonly #counts: NarrowCounts | null;
  #least: number | bigint = Infinity;
  #most: number | bigint = -Infinity;

  constructor({ session, layout, countLimit }: SummaryShared, stream: CudaStream) {
    const { dtype, elements } = stream;
    const bytes = chunkBytes(stream, elements);
    const room = Math.min(elements, chunkElements);
    this.#session = session;
    this.#stream = stream;
    this.record = emptySummaryRecord(dtype);
    this.record.octavesExact = isNarrow(dtype) || isComplex(dtype) || bytes <= smallTensorBytes;
    this.#totals = layout.totals(total.words);
    this.#blocks = layout.records(Math.ceil(room / blockElements) * blockReals * 8);
    this.#digestArea = layout.records(Math.ceil(chunkBytes(stream, room) / digestBytes) * 8);
    this.#digests = new DigestTable(bytes);
    this.#sums = new BlockTotals(pageElements(dtypeBits[dtype]));
    this.#squares = new BlockTotals(pageElements(dtypeBits[dtype]));
    this.#counts = isNarrow(dtype) ? new NarrowCounts(session, stream, countLimit) : null;
  }

  start(work: ChunkWork): void {
    const { dtype } = this.#stream;
    const { count } = work.chunk;
    const data = dataOf(this.#stream, work);
    const part = isComplex(dtype) ? partType(dtype as ComplexType) : dtype;
    const groups = Math.ceil(count / groupElements.blocks);
    this.#session.launch(kernelOf(dtype), groups, [
      data,
      whole(count),
      this.#stream.table,
      real(smallestNormal(part)),
      whole(this.record.octavesExact ? 1 : octaveStride),
      this.#blocks.on(work),
      this.#totals.on(work),
    ]);
    this.#counts?.start(work);
    const bytes = chunkBytes(this.#stream, count);
    this.#session.launch('digest', Math.ceil(bytes / digestBytes / groupDigests), [
      data,
      whole(bytes),
      this.#digestArea.on(work),
    ]);
  }

  take(work: ChunkWork): void {
    const { first, count } = work.chunk;
    const { record } = this;
    const totals = this.#totals.words(work);
    const at = (i: number) => totals[i] as number;
    record.elements += count;
    record.zeroBlocks += at(total.zeroBlocks);
    if (record.firstNonFinite < 0 && at(total.first) !== 0) {
      record.firstNonFinite = first + indexIn(work, ~at(total.first) >>> 0);
    }
    this.#takeBlocks(work);
    this.#takeDigests(work);
    this.#takeLanes(totals);
    // Everything else follows from how often each code occurs.
    if (this.#counts) this.#counts.take(work);
    else this.#takeCounts(totals);
  }

  #takeCounts(totals: Uint32Array): void {
    const { record } = this;
    const at = (i: number) => totals[i] as number;
    record.nan += at(total.nan);
    record.positiveInfinity += at(total.positive);
    record.negativeInfinity += at(total.negative);
    record.zeros += at(total.zeros);
    record.denormals += at(total.denormals);
    for (let i = 0; i < record.octaves.length; i++) {
      record.octaves[i] = (record.octaves[i] as number) + at(total.octaves + i);
    }
  }

  /** The record but for squares that need a second sweep. */
  finish(): SummaryRecord {
    const { record } = this;
    record.digests = this.#digests.words();
    record.max1Index = this.#largest.index;
    if (this.#counts) {
      this.#counts.fill(record);
      return record;
    }
    record.sum = isComplex(record.dtype) ? Number.NaN : this.#sums.total();
    record.sumSquares = this.#squares.total();
    if (this.#largest.index < 0) return record;
    record.max1 = this.#largest.max1;
    record.max2 = Math.max(0, this.#largest.max2);
    record.min = shown(this.#least);
    record.max = shown(this.#most);
    return record;
  }

  /** Σ(x · scale − centre)² from `chunks` that are sent as they are asked for; after `finish`. */
  async measureSquares(
    chunks: SentChunks,
    { scale, centre }: { readonly scale: number; readonly centre: number },
  ): Promise<number> {
    if (this.#counts) return this.#counts.squares(centre);
    const { dtype } = this.#stream;
    const sums = new BlockTotals(pageElements(dtypeBits[dtype]));
    for await (const work of chunks.sent) {
      const { count } = work.chunk;
      const kernel = wideKernels[dtype]?.squares as KernelName;
      this.#session.launch(kernel, Math.ceil(count / groupElements.blocks), [
        dataOf(this.#stream, work),
        whole(count),
        real(scale),
        real(centre),
        this.#blocks.on(work),
      ]);
      await chunks.receive(work);
      const blocks = this.#blocks.reals(work);
      for (let i = 0; i * blockElements < count; i++) sums.add(blocks[i] as number);
    }
    return sums.total();
  }

  #takeBlocks(work: ChunkWork): void {
    const { first, count } = work.chunk;
    const reals = this.#blocks.reals(work);
    const words = this.#blocks.words(work);
    for (let at = 0, start = 0; start < count; at += blockReals, start += blockElements) {
      this.#sums.add(reals[at + block.sum] as number);
      this.#squares.add(reals[at + block.squares] as number);
      const max1 = reals[at + block.max1] as number;
      if (max1 < 0) continue;
      const index = first + indexIn(work, words[2 * (at + block.index)] as number);
      this.#largest.add(max1, reals[at + block.max2] as number, index);
      this.#takeExtremes(reals, at);
    }
  }

  #takeExtremes(reals: Float64Array, at: number): void {
    const { dtype } = this.#stream;
    let least: number | bigint = reals[at + block.least] as number;
    let most: number | bigint = reals[at + block.most] as number;
    if (dtype === 'i64' || dtype === 'u64') {
      // Kernels order signed integers as unsigned ones with the sign flipped.
      const exact = new BigUint64Array(reals.buffer, reals.byteOffset, reals.length);
      const offset = dtype === 'i64' ? signBit : 0n;
      least = (exact[at + integers.least] as bigint) - offset;
      most = (exact[at + integers.most] as bigint) - offset;
    }
    if (least < this.#least) this.#least = least;
    if (most > this.#most) this.#most = most;
  }

  #takeDigests(work: ChunkWork): void {
    const pages = Math.ceil(chunkBytes(this.#stream, work.chunk.count) / digestBytes);
    this.#digests.append(this.#digestArea.words(work).subarray(0, 2 * pages));
  }

  #takeLanes(totals: Uint32Array): void {
    const { laneOr, laneAnd, laneCount } = this.record;
    for (let lane = 0; lane < laneOr.length; lane++) {
      const at = (i: number) => totals[i + lane] as number;
      laneOr[lane] = (laneOr[lane] as number) | at(total.laneOr);
      laneAnd[lane] = (laneAnd[lane] as number) & ~at(total.laneAnd);
      laneCount[lane] = (laneCount[lane] as number) + at(total.laneCount);
    }
  }
}

/** Minus zero as 0, and an exact integer as a number where that loses nothing. */
function shown(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value + 0;
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
