/** A tag's folder of DeepSpeed: model states, and each rank's share of the optimizer's flat vectors. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { markModel } from '../optimizer-state/model-tensors.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { TorchParts } from '../torch-parts.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { readModelPart } from './model-part.ts';
import { readModelStates } from './model-states.ts';
import { isDeepSpeedName, modelRankName, sortRankFiles } from './rank-files.ts';
import { readRankShare } from './rank-share.ts';

export const deepspeed: Format = {
  id: 'deepspeed',
  title: 'DeepSpeed: a folder global_stepN of model and optimizer states (ZeRO 0 to 3)',
  recognise,
  complete: ({ source, files }) => isComplete(source, topOf(files)),
  open: ({ source, files }) => new FolderReader(source, topOf(files)).read(),
};

/** Files in the folder itself: what lies deeper belongs to somebody else. */
function topOf(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ name }) => !name.includes('/'));
}

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  return topOf(files).some(({ name }) => isDeepSpeedName(name)) ? 'certain' : 'no';
}

/**
 * Every rank writes its own file and none waits for the others: they are counted, and each must
 * have its end. `latest` proves nothing, rank 0 writes it after its own file.
 */
async function isComplete(source: Source, files: readonly SourceFile[]): Promise<boolean> {
  const { ranks } = sortRankFiles(files);
  for (const { models, optimizers } of ranks) {
    const [model] = models.values();
    const [share] = optimizers.values();
    if (!model) return false;
    const every = [...models.values(), ...optimizers.values()];
    for (const file of every) if (!(await isArchiveEnded(source, file))) return false;
    const parts = new TorchParts(source);
    const states = await readModelStates(parts, model);
    const wanted = share
      ? ((await readRankShare(parts, share, 0))?.ranks ?? optimizers.size)
      : states?.shapes
        ? Number.POSITIVE_INFINITY
        : 0;
    if (optimizers.size < wanted) return false;
    if (model.name.startsWith('zero_') && models.size < wanted) return false;
  }
  return ranks.length > 0;
}

class FolderReader {
  readonly #parts: TorchParts;
  readonly #files: readonly SourceFile[];
  readonly #tensors: Tensor[] = [];

  constructor(source: Source, files: readonly SourceFile[]) {
    this.#parts = new TorchParts(source);
    this.#files = files;
  }

  async read(): Promise<Checkpoint> {
    const { ranks, layers, repeated } = sortRankFiles(this.#files);
    const optimizers: Optimizer[] = [];
    const frozen: string[] = [];
    const tied: (readonly [string, string])[] = [];
    let step: number | null = null;
    let isWhole = ranks.length > 0;
    let hasScheduler = false;
    for (const files of ranks) {
      const label = ranks.length > 1 ? `${modelRankName(files.modelRank)}.` : '';
      const part = await readModelPart(this.#parts, files, label);
      for (const tensor of part.tensors) this.#tensors.push(tensor);
      optimizers.push(...part.optimizers);
      frozen.push(...part.frozen);
      tied.push(...part.tied);
      step ??= part.step;
      isWhole &&= part.isWhole;
      hasScheduler ||= part.hasScheduler;
    }
    for (const file of layers) await this.#layer(file);
    for (const { name } of repeated) {
      const message = 'another file holds the states of the same rank: it was not read';
      this.#parts.problems.add({ rule: 'shard-stale', kind: 'info', file: name, message });
    }
    const { source, files, checksums, schedulers, problems } = this.#parts;
    return {
      path: source.path,
      layout: 'deepspeed',
      step,
      complete: isWhole && this.#parts.isWhole,
      files: files.map(({ name, sizeBytes, identity }) => ({ name, sizeBytes, identity })),
      tensors: this.#tensors,
      optimizers,
      frozen,
      tied,
      hasScheduler: hasScheduler || schedulers.length > 0,
      schedulers,
      checksums,
      problems: problems.toArray(),
    };
  }

  /** A layer of a pipeline or an expert: its tensors under the file's own name. */
  async #layer(file: SourceFile): Promise<void> {
    const torch = await this.#parts.read(file);
    if (!torch) return;
    const stem = file.name.replace(/(-model_states|_model_states|_optim_states)?\.pt$/, '');
    const drafts = new Map<string, TensorDraft>();
    for (const tensor of torch.tensors) {
      tensor.name = `${stem}.${tensor.name}`;
      if (tensor.aliasOf !== null) tensor.aliasOf = `${stem}.${tensor.aliasOf}`;
      drafts.set(tensor.name, tensor);
      this.#tensors.push(tensor);
    }
    if (!/_optim_states\.pt$/.test(file.name)) {
      markModel({ prefix: `${stem}.`, tensors: drafts, order: 'order' });
    }
  }
}
