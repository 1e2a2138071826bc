/** Booleans that are neither 0 nor 1: every reader takes them for true, and no program writes them. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { isLaikaError } from '../checkpoint/errors.ts';
import { locate } from '../checkpoint/locate.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { pageBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';

/** One problem for each tensor that holds such bytes, and the bytes read to know. */
export async function findOddBooleans(
  checkpoint: Checkpoint,
  source: Source,
): Promise<{ readonly problems: readonly Problem[]; readonly bytesRead: number }> {
  const problems: Problem[] = [];
  let bytesRead = 0;
  for (const tensor of checkpoint.tensors) {
    const { dtype, placement, aliasOf } = tensor;
    if (dtype !== 'bool' || aliasOf !== null || placement.kind === 'absent') continue;
    const problem = await oddBooleansOf(tensor, source);
    bytesRead += tensor.elements;
    if (problem) problems.push(problem);
  }
  return { problems, bytesRead };
}

async function oddBooleansOf(tensor: Tensor, source: Source): Promise<Problem | null> {
  let odd = 0;
  let firstOdd = -1;
  let value = 0;
  const buffer = new Uint8Array(Math.min(pageBytes, tensor.elements));
  for (let first = 0; first < tensor.elements; first += buffer.length) {
    const count = Math.min(buffer.length, tensor.elements - first);
    const into = buffer.subarray(0, count);
    try {
      await readTensorBytes(source, tensor, { first, count, into });
    } catch (error) {
      // Said where the tensor was swept.
      if (isLaikaError(error, 'bytes-damaged')) return null;
      throw error;
    }
    for (let i = 0; i < count; i++) {
      if ((into[i] as number) <= 1) continue;
      odd += 1;
      if (firstOdd >= 0) continue;
      firstOdd = first + i;
      value = into[i] as number;
    }
  }
  if (odd === 0) return null;
  const { file, offset } = locate(tensor, firstOdd);
  return {
    rule: 'bool-value',
    kind: 'damage',
    file,
    ...(offset === null ? {} : { offset }),
    tensor: tensor.name,
    message:
      `${odd} of ${tensor.elements} booleans are neither 0 nor 1; the first is element ` +
      `${firstOdd}, which holds ${value}`,
  };
}
