/** `mp_rank_TT[_PPP][_EEE]`: a folder for each model-parallel rank of Megatron. */
import type { SourceFile } from '../../sources/source.ts';
import { attributeOf } from '../pickle/attributes.ts';
import { entryOf, type PickleValue } from '../pickle/values.ts';

export const modelFile = 'model_optim_rng.pt';
export const distributedFile = 'distrib_optim.pt';

const filePattern = /^(mp_rank_[0-9]{2,6}(?:_[0-9]{3,6}){0,2})\/([^/]+\.pt)$/;

export interface RankFolder {
  readonly name: string;
  /** By their name in the folder. */
  readonly files: ReadonlyMap<string, SourceFile>;
}

/** Folders of ranks, in the order of their names. */
export function rankFolders(files: readonly SourceFile[]): readonly RankFolder[] {
  const folders = new Map<string, Map<string, SourceFile>>();
  for (const file of files) {
    const match = filePattern.exec(file.name);
    if (!match) continue;
    const [folder, name] = [match[1] as string, match[2] as string];
    const own = folders.get(folder) ?? new Map<string, SourceFile>();
    folders.set(folder, own.set(name, file));
  }
  const sorted = [...folders].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, own]) => ({ name, files: own }));
}

/** True for the files of this layout. */
export function isRankFile(name: string): boolean {
  const file = filePattern.exec(name)?.[2];
  return file === modelFile || file === distributedFile;
}

/** What the arguments of the run say about the ranks. */
export interface Parallelism {
  /** Folders that must be there; null where experts are spread in ways that nobody counted. */
  readonly folders: readonly string[] | null;
  /** The optimizer's state lies in a file of its own. */
  readonly isDistributed: boolean;
}

/** More ranks than any model was cut into. */
const ranksMost = 100_000;

function sizeOf(args: PickleValue | undefined, name: string): number {
  const size = attributeOf(args, name);
  return typeof size === 'number' && Number.isSafeInteger(size) && size > 0 ? size : 1;
}

/** From `args` in a rank's file; sizes that are not stored are 1. */
export function parallelismOf(root: PickleValue | undefined): Parallelism {
  const args = entryOf(root, 'args');
  const tensors = sizeOf(args, 'tensor_model_parallel_size');
  const stages = sizeOf(args, 'pipeline_model_parallel_size');
  const isDistributed = attributeOf(args, 'use_distributed_optimizer') === true;
  const isKnown = args !== undefined && sizeOf(args, 'expert_model_parallel_size') === 1;
  if (!isKnown || tensors * stages > ranksMost) return { folders: null, isDistributed };
  const folders: string[] = [];
  for (let tensor = 0; tensor < tensors; tensor += 1) {
    for (let stage = 0; stage < stages; stage += 1) {
      const name = `mp_rank_${String(tensor).padStart(2, '0')}`;
      folders.push(stages > 1 ? `${name}_${String(stage).padStart(3, '0')}` : name);
    }
  }
  return { folders, isDistributed };
}
