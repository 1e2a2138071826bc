/** The copies of one sweep, compared by kernels. */
import { type DType, dtypeBits, isComplex } from '../../checkpoint/dtype.ts';
import { type CopyRecord, emptyCopyRecord } from '../../records/copy-record.ts';
import type { CopyPlan } from '../engine.ts';
import { minusZero, valuesOf } from '../narrow-types.ts';
import { bitsAt, codeAt } from '../reference/decode.ts';
import { roundToBf16, roundToF16 } from '../rounded-bits.ts';
import type { Chunk } from '../sweep-reader.ts';
import { isByte } from './byte-summary.ts';
import { copyRecordAt, zeroMaskAt } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';

const partBits = { c32: 16, c64: 32, c128: 64 } as const;

/** 16 bytes in which every bit is set but the signs of a type that has a minus zero. */
function zeroMask(dtype: DType): Uint8Array {
  const mask = new Uint8Array(16).fill(255);
  const bits = isComplex(dtype) ? partBits[dtype as keyof typeof partBits] : dtypeBits[dtype];
  const hasMinusZero =
    isComplex(dtype) || dtype === 'f32' || dtype === 'f64' || minusZero(dtype) !== 0;
  if (bits < 8) return mask.fill(255 & ~minusZero(dtype));
  if (!hasMinusZero) return mask;
  for (let at = bits / 8 - 1; at < 16; at += bits / 8) mask[at] = 127;
  return mask;
}

export class CopyCheck {
  readonly record: CopyRecord = emptyCopyRecord();
  readonly #isRounded: boolean;
  readonly #left: WasmStream;
  readonly #right: WasmStream;
  readonly #mask: Uint8Array;

  constructor(plan: CopyPlan, left: WasmStream, right: WasmStream) {
    this.#isRounded = plan.relation === 'rounded';
    this.#left = left;
    this.#right = right;
    this.#mask = zeroMask(right.dtype);
  }

  add({ first, count }: Chunk): void {
    const { views } = this.#left;
    views.u32.set([0, 0xffffffff, 0], copyRecordAt >>> 2);
    if (this.#isRounded) this.#compareRounded(count);
    else this.#compareEqual(count);
    this.record.compared += count;
    this.record.different += views.uint(copyRecordAt);
    if (this.#hasZero()) this.record.zerosFound += views.uint(copyRecordAt + 8);
    const at = views.int(copyRecordAt + 4);
    if (at < 0 || this.record.first >= 0) return;
    this.record.first = first + at;
    this.record.expectedBits = this.#expectedBits(at);
    this.record.foundBits = bitsOf(this.#right, at);
  }

  #compareRounded(count: number): void {
    const { kernels, data } = this.#left;
    const name = this.#right.dtype === 'bf16' ? 'compareBfloat16' : 'compareFloat16';
    kernels[name](data, this.#right.data, count, copyRecordAt);
  }

  #compareEqual(count: number): void {
    const { kernels, views, codes, dtype } = this.#left;
    views.u8.set(this.#mask, zeroMaskAt);
    const bits = Math.max(8, dtypeBits[dtype]) as 8 | 16 | 32 | 64 | 128;
    kernels[`compare${bits}`](codes, this.#right.codes, count, zeroMaskAt, copyRecordAt);
  }

  /** Is code 0 the number 0? Of e8m0 it is not. */
  #hasZero(): boolean {
    return !isByte(this.#right.dtype) || valuesOf(this.#right.dtype)[0] === 0;
  }

  #expectedBits(at: number): bigint {
    if (!this.#isRounded) return bitsOf(this.#left, at);
    const bits = Number(bitsOf(this.#left, at));
    return BigInt(this.#right.dtype === 'bf16' ? roundToBf16(bits) : roundToF16(bits));
  }
}

function bitsOf({ views, data, dtype }: WasmStream, at: number): bigint {
  const view = new DataView(views.buffer, data);
  return dtypeBits[dtype] < 8 ? BigInt(codeAt(dtype, view, at)) : bitsAt(dtype, view, at);
}
