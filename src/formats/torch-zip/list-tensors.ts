/** The tensors and containers of one pickle. */
import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { PickleValue } from '../pickle/values.ts';
import type { StorageResolver } from './storage-id.ts';
import { type CompressedTensor, TensorLister } from './tensor-list.ts';
import type { Container, TorchFile } from './torch-file.ts';
import { walkTree } from './tree-walk.ts';

/** What the walk through one pickle found. */
export interface Listed {
  readonly listed: ListedState;
  readonly problems: readonly Problem[];
  /** Those that must be inflated before they can be placed. */
  readonly compressed: readonly CompressedTensor[];
}

/** The part of a file of torch that one pickle tells. */
export type ListedState = Pick<
  TorchFile,
  'containers' | 'tensors' | 'byPath' | 'places' | 'parts' | 'tied'
>;

/**
 * Lists the tensors below `root`. A limit that a suspect pickle passes is no news.
 * @throws LaikaError `limit-exceeded`.
 */
export function listTensors(
  root: PickleValue,
  storages: StorageResolver,
  options: { file: string; bigEndian: boolean; isSuspect: boolean },
): Listed {
  const lister = new TensorLister(options.file, storages, options.bigEndian);
  const containers: Container[] = [];
  try {
    walkTree(root, options.file, {
      leaf: (path, value) => lister.add(path, value),
      container: (path, value) => void containers.push({ path, value }),
    });
  } catch (error) {
    if (!(options.isSuspect && isLaikaError(error, 'limit-exceeded'))) throw error;
  }
  const { drafts: tensors, byPath, places, parts, tied, problems, compressed } = lister;
  const listed = { containers, tensors, byPath, places, parts, tied };
  return { listed, problems: problems.toArray(), compressed };
}
