/** One element of one tensor through three checkpoints: which of them stands out. */

import { openCheckpoint } from '../formats/open-checkpoint.ts';
import { fromBits, isFloatType } from '../records/float-bits.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';

/** The element's value; null where the tensor is not there or holds no floats. */
export async function readElement(
  path: string,
  tensor: string,
  index: number,
): Promise<number | null> {
  const { checkpoint, source } = await openCheckpoint(path);
  try {
    const found = checkpoint.tensors.find(({ name }) => name === tensor);
    if (!found || found.placement.kind === 'absent' || index >= found.elements) return null;
    const { dtype } = found;
    if (!isFloatType(dtype)) return null;
    const into = new Uint8Array({ f64: 8, f32: 4, f16: 2, bf16: 2 }[dtype]);
    await readTensorBytes(source, found, { first: index, count: 1, into });
    const bits = into.reduceRight((word, byte) => (word << 8n) | BigInt(byte), 0n);
    return fromBits(bits, dtype);
  } finally {
    await source.close();
  }
}

/** The middle value lies far from both others, which lie near each other. */
export function standsOut(before: number, middle: number, after: number): boolean {
  const across = Math.abs(after - before);
  return across < Math.min(Math.abs(middle - before), Math.abs(after - middle)) / 2;
}
