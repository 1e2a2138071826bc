/**
 * Tensors in compressed members: inflated once at opening, because nothing can read them in place.
 */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Placement } from '../../checkpoint/tensor.ts';
import { toLogicalBytes } from '../../sources/element-bytes.ts';
import type { Source } from '../../sources/source.ts';
import { bombProblem, readMember, type ZipArchive, type ZipMember } from '../zip/zip-archive.ts';
import { maxInlineBytes, maxInlineTotalBytes } from './limits.ts';
import type { CompressedTensor, StoredView } from './tensor-list.ts';

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

function inline(storage: Uint8Array, form: StoredView): Placement {
  const bytes = gather(storage, form);
  toLogicalBytes(bytes, { dtype: form.type.dtype, bigEndian: form.bigEndian, lazy: form.lazy });
  return { kind: 'inline', bytes };
}

function byMember(tensors: readonly CompressedTensor[]): Map<ZipMember, CompressedTensor[]> {
  const groups = new Map<ZipMember, CompressedTensor[]>();
  for (const tensor of tensors) {
    const group = groups.get(tensor.member);
    if (group) group.push(tensor);
    else groups.set(tensor.member, [tensor]);
  }
  return groups;
}

/** Fills the placements of compressed tensors; those past the limits stay listed and unread. */
export async function inflateTensors(
  source: Source,
  archive: ZipArchive,
  tensors: readonly CompressedTensor[],
): Promise<Problem[]> {
  const problems: Problem[] = [];
  let left = maxInlineTotalBytes;
  for (const [member, group] of byMember(tensors)) {
    const wanted = group.filter(({ form }) => {
      const bytes = form.view.elements * form.type.bytes;
      return bytes <= maxInlineBytes && bytes <= left;
    });
    if (wanted.length === 0 || member.sizeBytes > maxInlineBytes) continue;
    if (bombProblem(archive, member)) continue;
    const { bytes, problem } = await readMember(source, archive, member);
    if (problem) problems.push(problem);
    if (!bytes) continue;
    for (const { draft, form } of wanted) {
      const size = form.view.elements * form.type.bytes;
      // The first may have used up what was left for the next.
      if (size > left) continue;
      left -= size;
      draft.placement = inline(bytes, form);
    }
  }
  return problems;
}
