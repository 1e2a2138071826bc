/** A view of a storage whose bytes are in memory, as the bytes of a tensor. */
import type { Placement } from '../../checkpoint/tensor.ts';
import { toLogicalBytes } from '../../sources/element-bytes.ts';
import type { StoredView } from './tensor-list.ts';

/** Copies the elements of a view in logical order. */
function gather(storage: Uint8Array, { view, type }: StoredView): Uint8Array {
  const { bytes } = type;
  if (view.contiguous) {
    const start = view.offset * bytes;
    return storage.slice(start, start + view.elements * bytes);
  }
  const out = new Uint8Array(view.elements * bytes);
  const index = view.shape.map(() => 0);
  let from = view.offset;
  for (let element = 0; element < view.elements; element += 1) {
    out.set(storage.subarray(from * bytes, (from + 1) * bytes), element * bytes);
    for (let axis = index.length - 1; axis >= 0; axis -= 1) {
      const [i, stride] = [(index[axis] as number) + 1, view.strides[axis] as number];
      index[axis] = i;
      from += stride;
      if (i < (view.shape[axis] as number)) break;
      index[axis] = 0;
      from -= i * stride;
    }
  }
  return out;
}

/** `storage`: all of its bytes. */
export function inlineView(storage: Uint8Array, form: StoredView): Placement {
  const bytes = gather(storage, form);
  toLogicalBytes(bytes, { dtype: form.type.dtype, bigEndian: form.bigEndian, lazy: form.lazy });
  return { kind: 'inline', bytes };
}
