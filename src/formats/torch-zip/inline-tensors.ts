/**
 * Tensors in compressed members: inflated once at opening, because nothing can read them in place.
 */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { bombProblem, readMember, type ZipArchive, type ZipMember } from '../zip/zip-archive.ts';
import { inlineView } from './inline-view.ts';
import { maxInlineBytes, maxInlineTotalBytes } from './limits.ts';
import type { CompressedTensor } from './tensor-list.ts';

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
      draft.placement = inlineView(bytes, form);
    }
  }
  return problems;
}
