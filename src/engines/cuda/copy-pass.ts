/** One copy of a sweep, compared on the GPU. */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import { type CopyRecord, emptyCopyRecord } from '../../records/copy-record.ts';
import { isNarrow, minusZero, valuesOf } from '../narrow-types.ts';
import { bitsAt, type ComplexType, partType } from '../reference/decode.ts';
import { roundToBf16, roundToF16 } from '../rounded-bits.ts';
import { groupElements, type KernelName, whole } from './kernels.ts';
import type { CudaSession } from './session.ts';
import {
  type Area,
  type ChunkWork,
  type CudaPass,
  type CudaStream,
  dataOf,
  indexIn,
  type ResultLayout,
  viewOf,
} from './work.ts';

const total = { different: 0, first: 1, zeros: 2, words: 3 } as const;

/** The sign bit of one element or part of one, where that makes a minus zero; else 0. */
function signOf(dtype: DType): bigint {
  if (dtype === 'f32') return 2n ** 31n;
  if (dtype === 'f64') return 2n ** 63n;
  return isNarrow(dtype) ? BigInt(minusZero(dtype)) : 0n;
}

/** 128 bits, all set but the signs: an element is zero where it has none of them. */
function zeroMask(dtype: DType): bigint {
  const part = isComplex(dtype) ? partType(dtype as ComplexType) : dtype;
  let signs = 0n;
  for (let at = 0; at < 128; at += dtypeBits[part]) signs |= signOf(part) << BigInt(at);
  return (2n ** 128n - 1n) & ~signs;
}

export class CopyPass implements CudaPass {
  readonly record: CopyRecord = emptyCopyRecord();
  readonly #session: CudaSession;
  readonly #isRounded: boolean;
  readonly #left: CudaStream;
  readonly #right: CudaStream;
  readonly #totals: Area;
  readonly #kernel: KernelName;
  readonly #mask: bigint;
  /** Is code 0 the number 0? Of e8m0 it is not. */
  readonly #hasZero: boolean;

  constructor(
    session: CudaSession,
    plan: { readonly left: CudaStream; readonly right: CudaStream; readonly isRounded: boolean },
    layout: ResultLayout,
  ) {
    const { dtype } = plan.right;
    const bits = dtypeBits[dtype] as 4 | 8 | 16 | 32 | 64 | 128;
    this.#session = session;
    this.#left = plan.left;
    this.#right = plan.right;
    this.#isRounded = plan.isRounded;
    this.#totals = layout.totals(total.words);
    this.#mask = zeroMask(dtype);
    this.#hasZero = !isNarrow(dtype) || valuesOf(dtype)[0] === 0;
    this.#kernel = `compare${bits}`;
    if (plan.isRounded) this.#kernel = dtype === 'bf16' ? 'compareBfloat16' : 'compareFloat16';
  }

  start(work: ChunkWork): void {
    const { count } = work.chunk;
    this.#session.launch(this.#kernel, Math.ceil(count / groupElements.counted), [
      dataOf(this.#left, work),
      dataOf(this.#right, work),
      whole(count),
      BigInt.asUintN(64, this.#mask),
      this.#mask >> 64n,
      this.#totals.on(work),
    ]);
  }

  take(work: ChunkWork): void {
    const { record } = this;
    const { first, count } = work.chunk;
    const totals = this.#totals.words(work);
    const different = totals[total.different] as number;
    record.compared += count;
    record.different += different;
    if (this.#hasZero) record.zerosFound += totals[total.zeros] as number;
    if (different === 0 || record.first >= 0) return;
    const at = indexIn(work, ~(totals[total.first] as number) >>> 0);
    record.first = first + at;
    record.expectedBits = this.#expectedBits(work, at);
    record.foundBits = bitsAt(this.#right.dtype, viewOf(this.#right, work), at);
  }

  #expectedBits(work: ChunkWork, at: number): bigint {
    const bits = bitsAt(this.#left.dtype, viewOf(this.#left, work), at);
    if (!this.#isRounded) return bits;
    const round = this.#right.dtype === 'bf16' ? roundToBf16 : roundToF16;
    return BigInt(round(Number(bits)));
  }
}
