/** The value of a tensor with one element: a step counter, a learning rate. */
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';

const sizes = { f64: 8, f32: 4, bf16: 2, i64: 8, i32: 4, i16: 2, u8: 1 } as const;

/**
 * Null where the tensor is no readable scalar of a type that counts steps. NaN stays NaN.
 * @throws LaikaError as `Source.read`.
 */
export async function readScalar(source: Source, tensor: Tensor): Promise<number | null> {
  const size = sizes[tensor.dtype as keyof typeof sizes];
  if (size === undefined || tensor.elements !== 1 || tensor.placement.kind === 'absent')
    return null;
  const into = new Uint8Array(size);
  await readTensorBytes(source, tensor, { first: 0, count: 1, into });
  return decode(tensor.dtype as keyof typeof sizes, new DataView(into.buffer));
}

function decode(dtype: keyof typeof sizes, view: DataView): number {
  switch (dtype) {
    case 'f64':
      return view.getFloat64(0, true);
    case 'f32':
      return view.getFloat32(0, true);
    case 'i64':
      return Number(view.getBigInt64(0, true));
    case 'i32':
      return view.getInt32(0, true);
    case 'i16':
      return view.getInt16(0, true);
    case 'u8':
      return view.getUint8(0);
    case 'bf16': {
      // The upper half of a float32.
      const wide = new DataView(new ArrayBuffer(4));
      wide.setUint16(2, view.getUint16(0, true), true);
      return wide.getFloat32(0, true);
    }
  }
}
