/** A file of one NumPy array, or of several one after another: `np.save` on an open file, Equinox. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { type ArrayName, readNpyArray } from './npy-array.ts';

/** Leaves of the largest trees are some tens of thousands. */
const arraysMost = 1_000_000;

export interface NpyFile {
  readonly tensors: readonly Tensor[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/**
 * Lists every array. One alone is called as its file; several have no names, and are numbered as
 * `np.savez` numbers arrays without names: `arr_0`.
 * @throws LaikaError as `readNpyArray`.
 */
export async function readNpyFile(
  source: Source,
  { name: file, sizeBytes }: SourceFile,
): Promise<NpyFile> {
  const at = (offset: number) => ({ file, offset, sizeBytes: sizeBytes - offset });
  const alone = await readNpyArray(source, at(0), {
    name: file.replace(/\.npy$/i, ''),
    listedIn: file,
  });
  if (alone.next === null) {
    const { tensor, problems, isWhole } = alone;
    return { tensors: tensor ? [tensor] : [], problems, isWhole };
  }
  const tensors: Tensor[] = [];
  const problems = new ProblemList();
  let isWhole = true;
  let offset: number | null = 0;
  for (let number = 0; offset !== null; number += 1) {
    const as = { name: `arr_${number}`, listedIn: file };
    const read = await readNpyArray(source, at(offset), as);
    if (read.tensor) tensors.push(read.tensor);
    problems.addAll(read.problems);
    isWhole = isWhole && read.isWhole;
    if (read.next !== null && number + 1 >= arraysMost) {
      problems.add(anotherArray(as));
      break;
    }
    offset = read.next === null ? null : offset + read.next;
  }
  return { tensors, problems: problems.toArray(), isWhole };
}

/** What to say of an array behind another where only the first is read. */
export function anotherArray({ name, listedIn: file }: ArrayName): Problem {
  const message = 'another array follows in the same file and is not read';
  return { rule: 'trailing-bytes', kind: 'info', file, tensor: name, message };
}
