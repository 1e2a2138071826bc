/** The copy pass of the reference engine: two tensors, element by element. */
import { type DType, isComplex } from '../../checkpoint/dtype.ts';
import type { CopyRecord } from '../../records/copy-record.ts';
import { roundToBf16, roundToF16 } from '../rounded-bits.ts';
import { bitsAt, type ComplexType, partsAt, realAt } from './decode.ts';

export interface CopySide {
  readonly dtype: DType;
  readonly view: DataView;
}

function isZero({ dtype, view }: CopySide, index: number): boolean {
  if (!isComplex(dtype)) return Number(realAt(dtype, view, index)) === 0;
  const [real, imaginary] = partsAt(dtype as ComplexType, view, index);
  return real === 0 && imaginary === 0;
}

/** What the copy must hold where its master is a float32 of these bits. */
function roundedBits(dtype: DType, bits: number): bigint {
  return BigInt(dtype === 'bf16' ? roundToBf16(bits) : roundToF16(bits));
}

/** Compares `count` elements; `first` is the index of the first of them. */
export function compareCopies(
  sides: { left: CopySide; right: CopySide; rounded: boolean },
  { first, count }: { first: number; count: number },
  record: CopyRecord,
): void {
  const { left, right, rounded } = sides;
  for (let i = 0; i < count; i++) {
    const expected = rounded
      ? roundedBits(right.dtype, left.view.getUint32(4 * i, true))
      : bitsAt(left.dtype, left.view, i);
    const found = bitsAt(right.dtype, right.view, i);
    record.compared += 1;
    if (isZero(right, i)) record.zerosFound += 1;
    if (expected === found) continue;
    record.different += 1;
    if (record.first >= 0) continue;
    record.first = first + i;
    record.expectedBits = expected;
    record.foundBits = found;
  }
}
