/** What passes share: a chunk in its slot, streams in it, and the layout of results. */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { isNarrow } from '../narrow-types.ts';
import type { Chunk } from '../sweep-reader.ts';
import { CudaError, miscomputed } from './driver.ts';
import type { Slot } from './ring.ts';

/** How kernels read a stream; kernels/cuda/values.h has the same list. */
export const kinds = {
  missing: 0,
  f32: 1,
  f64: 2,
  i32: 3,
  u32: 4,
  i64: 5,
  u64: 6,
  code16: 7,
  code8: 8,
  code4: 9,
  noNumber: 10,
} as const;

/** The kind of a type as laws see it. */
export function kindOf(dtype: DType): number {
  if (isComplex(dtype)) return kinds.noNumber;
  if (isNarrow(dtype)) return { 16: kinds.code16, 8: kinds.code8, 4: kinds.code4 }[bitsOf(dtype)];
  return kinds[dtype as 'f32' | 'f64' | 'i32' | 'u32' | 'i64' | 'u64'];
}

function bitsOf(dtype: DType): 16 | 8 | 4 {
  return dtypeBits[dtype] as 16 | 8 | 4;
}

/** One stream of a sweep and its place in every slot. */
export interface CudaStream {
  readonly operand: Operand;
  readonly dtype: DType;
  /** Elements of the whole tensor. */
  readonly elements: number;
  /** Offset of its chunk in a slot's input. */
  readonly offset: number;
  /** Address of the values of its codes, or of its parts' codes; 0 where values are stored. */
  readonly table: bigint;
}

export type CudaStreams = ReadonlyMap<Operand, CudaStream>;

/** A chunk that lies in a slot. */
export interface ChunkWork {
  readonly chunk: Chunk;
  readonly slot: Slot;
}

/** Everything that one pass computes of every chunk. */
export interface CudaPass {
  /** Starts its kernels. */
  start(work: ChunkWork): void;
  /** Takes what they left, in the order of chunks. */
  take(work: ChunkWork): void;
}

/** Bytes of a chunk of a stream. */
export function chunkBytes({ dtype }: { readonly dtype: DType }, count: number): number {
  return Math.ceil((count * dtypeBits[dtype]) / 8);
}

/** Checks an index that a GPU found. @throws CudaError where the chunk has no such element. */
export function indexIn({ chunk }: ChunkWork, index: number): number {
  if (index < chunk.count) return index;
  throw new CudaError('an index past the end', miscomputed);
}

/** Where a stream's chunk lies on the GPU. */
export function dataOf(stream: CudaStream, { slot }: ChunkWork): bigint {
  return slot.deviceInput + BigInt(stream.offset);
}

/** The same chunk here. */
export function viewOf(stream: CudaStream, { slot, chunk }: ChunkWork): DataView {
  const { buffer } = slot.input;
  return new DataView(buffer, stream.offset, chunkBytes(stream, chunk.count));
}

/** Address, table and kind of an operand, as kernels take them. */
export function operandOf(
  stream: CudaStream | undefined,
  work: ChunkWork,
): readonly [bigint, bigint, bigint] {
  if (!stream) return [0n, 0n, BigInt(kinds.missing)];
  return [dataOf(stream, work), stream.table, BigInt(kindOf(stream.dtype))];
}

/** A part of a slot's output. */
export interface Area {
  /** Its address on the GPU. */
  on(work: ChunkWork): bigint;
  /** Its values here, once the chunk is done. */
  words(work: ChunkWork): Uint32Array;
  reals(work: ChunkWork): Float64Array;
}

const alignment = 16;

/** Places results: first the totals, which are cleared before every chunk, then the records. */
export class ResultLayout {
  #totals = 0;
  #records = 0;

  /** Room for `words` u32 that are 0 before the kernels run. */
  totals(words: number): Area {
    const at = this.#totals;
    this.#totals += Math.ceil((words * 4) / alignment) * alignment;
    return areaAt(() => at, words * 4);
  }

  /** Room for `bytes` bytes, a multiple of 8, that kernels fill. */
  records(bytes: number): Area {
    const at = this.#records;
    this.#records += Math.ceil(bytes / alignment) * alignment;
    return areaAt(() => this.#totals + at, bytes);
  }

  get totalsBytes(): number {
    return this.#totals;
  }

  get bytes(): number {
    return this.#totals + this.#records;
  }
}

function areaAt(offset: () => number, bytes: number): Area {
  return {
    on: ({ slot }) => slot.deviceOutput + BigInt(offset()),
    words: ({ slot }) => new Uint32Array(slot.output.buffer, offset(), Math.floor(bytes / 4)),
    reals: ({ slot }) => new Float64Array(slot.output.buffer, offset(), Math.floor(bytes / 8)),
  };
}
