/** One tag of DeepSpeed: model states, and each rank's share of the optimizer's flat vectors. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { TorchParts } from '../torch-parts.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { readLayers } from './layer-files.ts';
import { readModelPart } from './model-part.ts';
import { readModelStates } from './model-states.ts';
import { type Counted, modelFaults } from './rank-agreement.ts';
import { modelRankName, type RankFiles, sortRankFiles } from './rank-files.ts';
import { readRankShare } from './rank-share.ts';

/** What a tag holds; files, checksums and problems gather in the parts it was read with. */
export type TagContents = Pick<
  Checkpoint,
  'step' | 'tensors' | 'optimizers' | 'frozen' | 'tied' | 'hasScheduler'
> & {
  /** No rank's file is missing. */
  readonly isWhole: boolean;
};

/**
 * Every rank writes its own file and none waits for the others: they are counted, and each must
 * have its end. `latest` proves nothing, rank 0 writes it after its own file.
 * @throws LaikaError as `Source.read`.
 */
export async function isTagComplete(
  source: Source,
  files: readonly SourceFile[],
  folder: string,
): Promise<boolean> {
  const { ranks, layers } = sortRankFiles(files, folder);
  for (const file of layers) if (!(await isArchiveEnded(source, file))) return false;
  for (const { models, optimizers } of ranks) {
    const [model] = models.values();
    const [share] = optimizers.values();
    if (!model) return false;
    const every = [...models.values(), ...optimizers.values()];
    for (const file of every) if (!(await isArchiveEnded(source, file))) return false;
    const parts = new TorchParts(source);
    const states = await readModelStates(parts, model);
    if ((states?.modelRanks ?? 1) > ranks.length) return false;
    const wanted = share
      ? ((await readRankShare(parts, share, 0))?.ranks ?? optimizers.size)
      : states?.shapes
        ? Number.POSITIVE_INFINITY
        : 0;
    if (optimizers.size < wanted) return false;
    if (model.name.startsWith(`${folder}zero_`) && models.size < wanted) return false;
  }
  return ranks.length > 0;
}

/**
 * Reads the tag whose files lie directly in `folder` (with its slash, or empty).
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readTag(
  parts: TorchParts,
  all: readonly SourceFile[],
  folder: string,
): Promise<TagContents> {
  const { ranks, layers: layerFiles, repeated } = sortRankFiles(all, folder);
  const layers = await readLayers(parts, layerFiles, folder);
  const tensors: TensorDraft[] = [];
  const optimizers: Optimizer[] = [];
  const frozen: string[] = [];
  const tied: (readonly [string, string])[] = [];
  const counted: Counted[] = [];
  let isWhole = ranks.length > 0;
  let hasScheduler = false;
  let wanted = 1;
  for (const files of ranks) {
    const label = ranks.length > 1 ? `${modelRankName(files.modelRank)}.` : '';
    const part = await readModelPart(parts, files, { label, layers });
    wanted = Math.max(wanted, part.modelRanks ?? 1);
    for (const tensor of part.tensors) tensors.push(tensor);
    optimizers.push(...part.optimizers);
    frozen.push(...part.frozen);
    tied.push(...part.tied);
    if (part.file !== null && part.step !== null) {
      counted.push({ file: part.file, step: part.step });
    }
    isWhole &&= part.isWhole;
    hasScheduler ||= part.hasScheduler;
  }
  for (const tensor of layers.tensors) tensors.push(tensor);
  const lost = lostModelRanks(ranks, wanted, folder);
  parts.problems.addAll(lost);
  isWhole &&= lost.length === 0;
  for (const { name } of repeated) {
    const message = 'another file holds the states of the same rank: it was not read';
    parts.problems.add({ rule: 'shard-stale', kind: 'info', file: name, message });
  }
  parts.problems.addAll(modelFaults(counted));
  const step = counted.reduce<number | null>((most, one) => Math.max(most ?? 0, one.step), null);
  return { step, tensors, optimizers, frozen, tied, hasScheduler, isWhole };
}

/** Missing files that are named one by one. */
const lostMost = 100;

/** Stages of a pipeline and slices of a model that have no file at all. */
function lostModelRanks(ranks: readonly RankFiles[], wanted: number, folder: string): Problem[] {
  const held = new Set(ranks.map(({ modelRank }) => modelRank));
  const problems: Problem[] = [];
  for (let rank = 0; held.size < wanted && rank < wanted; rank += 1) {
    if (problems.length === lostMost) break;
    if (held.has(rank)) continue;
    const file = `${folder}${modelRankName(rank)}_model_states.pt`;
    const message = `${wanted} ranks share the model, and this one has no file`;
    problems.push({ rule: 'shard-missing', kind: 'damage', file, message });
  }
  return problems;
}
