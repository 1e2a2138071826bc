/** What a buffer should hold that can be computed again: an expected tensor to compare it with. */
import type { Tensor } from '../checkpoint/tensor.ts';
import { lawValueAt } from '../engines/reference/decode.ts';
import { inverseFrequencies, isInverseFrequencies, isPositions } from '../laws/constant-buffers.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';

/** Larger ones are no such buffers. */
const elementsMost = 1 << 20;

function expected(tensor: Tensor, bytes: Uint8Array): Tensor {
  return { ...tensor, name: 'what it is computed from', placement: { kind: 'inline', bytes } };
}

/** 0, 1, 2, … in the tensor's type. */
function positions({ dtype, elements }: Tensor): Uint8Array | null {
  if (dtype === 'i64') {
    return new Uint8Array(BigInt64Array.from({ length: elements }, (_, i) => BigInt(i)).buffer);
  }
  return dtype === 'i32'
    ? new Uint8Array(Int32Array.from({ length: elements }, (_, i) => i).buffer)
    : null;
}

/** Every dimension but the last is 1. */
function isRow({ shape, elements }: Tensor): boolean {
  return elements > 1 && shape.at(-1) === elements;
}

/** Null where it is none of these buffers; `otherwise` where its values say that it was computed so. */
export async function recomputed(
  tensor: Tensor,
  source: Source,
): Promise<Tensor | 'otherwise' | null> {
  const { placement, elements, name, dtype } = tensor;
  if (placement.kind === 'absent' || elements > elementsMost || !isRow(tensor)) return null;
  if (isPositions(name)) {
    const bytes = positions(tensor);
    return bytes && expected(tensor, bytes);
  }
  if (!isInverseFrequencies(name) || dtype !== 'f32') return null;
  const into = new Uint8Array(4 * elements);
  await readTensorBytes(source, tensor, { first: 0, count: elements, into });
  const view = new DataView(into.buffer);
  const found = Float64Array.from({ length: elements }, (_, i) => lawValueAt('f32', view, i));
  const right = inverseFrequencies(found);
  return right ? expected(tensor, new Uint8Array(right.buffer)) : 'otherwise';
}
