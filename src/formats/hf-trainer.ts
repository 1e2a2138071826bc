/**
 * A checkpoint folder of the Hugging Face Trainer: weights, optimizer, scheduler, and a state that
 * is written last.
 */
import type { Checkpoint, EncodedFile } from '../checkpoint/checkpoint.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { fileStateOf, type Source, type SourceFile } from '../sources/source.ts';
import { innerTag } from './deepspeed/inner-tag.ts';
import { isTagComplete, readTag, type TagContents } from './deepspeed/tag-folder.ts';
import type { Format, Sighting } from './format.ts';
import { areFsdpFoldersWhole, holdsFsdpFolders, readFsdpFolders } from './fsdp-folders.ts';
import { readTrainerStep, trainerStateName } from './hf-trainer-state.ts';
import { readTrainerWeights, weightFilesOf } from './hf-trainer-weights.ts';
import type { ModelTensors } from './optimizer-state/raw-optimizer.ts';
import { TorchParts } from './torch-parts.ts';
import { readContents, type TorchContents } from './torch-zip/contents.ts';

export const hfTrainer: Format = {
  id: 'hf-trainer',
  title: 'Hugging Face Trainer: a folder checkpoint-STEP',
  recognise,
  complete,
  open,
  step: async ({ source, files }) => (await readTrainerStep(source, topOf(files))).step,
};

const optimizerNames = ['optimizer.pt', 'optimizer.bin'];
const companionName = /^(scheduler\.pt|scaler\.pt|training_args\.bin|rng_state(_[0-9]+)?\.pth)$/;

/** Files in the folder itself: what lies deeper belongs to somebody else. */
function topOf(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ name }) => !name.includes('/'));
}

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  const names = new Set(files.map(({ name }) => name));
  const isUnfinished =
    names.has('training_args.bin') && optimizerNames.some((name) => names.has(name));
  if (!names.has(trainerStateName) && !isUnfinished) return 'no';
  // At the end of a run the Trainer's output folder has a state of its own beside the checkpoints.
  const isRun = files.some(({ name }) => /^checkpoint-[0-9]+\/trainer_state\.json$/.test(name));
  return isRun ? 'named' : 'certain';
}

/** The state is written last and parses only when it is whole. */
async function complete({ source, files }: Sighting): Promise<boolean> {
  const top = topOf(files);
  const { isWhole } = await readTrainerStep(source, top);
  if (!isWhole) return false;
  const tag = await innerTag(source, files);
  if (tag !== null) return isTagComplete(source, files, tag);
  if (weightFilesOf(top).length > 0) return true;
  return holdsFsdpFolders(files) ? areFsdpFoldersWhole(source, files) : holdsOtherLayout(files);
}

/** Weights that DeepSpeed wrote into folders of its own. */
function holdsOtherLayout(files: readonly SourceFile[]): boolean {
  return files.some(({ name }) => /^global_step[0-9]+\//.test(name));
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  return new FolderReader(source, files).read();
}

class FolderReader {
  readonly #parts: TorchParts;
  readonly #all: readonly SourceFile[];
  readonly #top: readonly SourceFile[];
  readonly #tensors: Tensor[] = [];
  readonly #tied: (readonly [string, string])[] = [];
  readonly #encoded: EncodedFile[] = [];
  #isWhole = true;

  constructor(source: Source, files: readonly SourceFile[]) {
    this.#parts = new TorchParts(source);
    this.#all = files;
    this.#top = topOf(files);
  }

  async read(): Promise<Checkpoint> {
    const { source, files, problems, checksums } = this.#parts;
    const state = await readTrainerStep(source, this.#top);
    problems.addAll(state.problems);
    files.push(...this.#top.filter(({ name }) => name === trainerStateName));
    this.#isWhole = state.isWhole;
    const models = await this.#weights();
    const fsdp = await this.#fsdp();
    const contents = (await this.#optimizer(models)) ?? fsdp;
    const tag = await this.#deepSpeed();
    await this.#companions();
    this.#compareSteps(state.step, contents?.step ?? tag?.step ?? null);
    return {
      path: source.path,
      layout: 'hf-trainer',
      step: state.step,
      complete: this.#isWhole && this.#parts.isWhole,
      files: files.map(fileStateOf),
      tensors: this.#tensors,
      optimizers: [...(contents?.optimizers ?? []), ...(tag?.optimizers ?? [])],
      frozen: [...(contents?.frozen ?? []), ...(tag?.frozen ?? [])],
      tied: this.#tied,
      hasScheduler: this.#parts.schedulers.length > 0 || tag?.hasScheduler === true,
      schedulers: this.#parts.schedulers,
      checksums,
      encoded: this.#encoded,
      problems: problems.toArray(),
    };
  }

  async #weights(): Promise<readonly ModelTensors[]> {
    const { source, files, problems, checksums } = this.#parts;
    const weights = await readTrainerWeights(source, this.#top);
    files.push(...weights.files);
    problems.addAll(weights.problems);
    checksums.push(...weights.checksums);
    this.#tied.push(...weights.tied);
    for (const { tensors } of weights.models) this.#tensors.push(...tensors.values());
    if (weights.files.length === 0 && !holdsFsdpFolders(this.#all)) await this.#missingWeights();
    this.#isWhole = this.#isWhole && weights.isWhole;
    return weights.models;
  }

  /** Weights and state in distributed checkpoints; the state may lie in a file of its own. */
  async #fsdp(): Promise<TorchContents | null> {
    if (!holdsFsdpFolders(this.#all)) return null;
    const { source, files, problems, checksums } = this.#parts;
    const { contents, ...read } = await readFsdpFolders(source, this.#all);
    for (const { tensors } of contents) this.#tensors.push(...tensors);
    files.push(...read.files);
    problems.addAll(read.problems);
    checksums.push(...read.checksums);
    this.#encoded.push(...read.encoded);
    this.#isWhole = this.#isWhole && read.isWhole;
    return contents[0] ?? null;
  }

  async #missingWeights(): Promise<void> {
    const { source, problems } = this.#parts;
    if ((await innerTag(source, this.#all)) !== null) return;
    if (holdsOtherLayout(this.#all)) {
      const message = 'the weights lie in folders of DeepSpeed, none of which is marked as the one';
      problems.add({ rule: 'note', kind: 'info', file: trainerStateName, message });
      return;
    }
    this.#isWhole = false;
    const message = 'the weights are missing: there is neither this file nor another of its kind';
    const file = 'model.safetensors';
    problems.add({ rule: 'shard-missing', kind: 'damage', file, message });
  }

  async #optimizer(models: readonly ModelTensors[]): Promise<TorchContents | null> {
    const file = this.#top.find(({ name }) => optimizerNames.includes(name));
    const torch = file && (await this.#parts.read(file));
    if (!file || !torch) return null;
    this.#tensors.push(...torch.tensors);
    this.#tied.push(...torch.tied);
    const contents = await readContents({ source: this.#parts.source, file }, torch, models);
    this.#parts.problems.addAll(contents.problems);
    this.#parts.takeSchedulers(torch);
    return contents;
  }

  /** Weights and optimizer that DeepSpeed wrote for the Trainer, into a folder of their own. */
  async #deepSpeed(): Promise<TagContents | null> {
    const folder = await innerTag(this.#parts.source, this.#all);
    if (folder === null) return null;
    const tag = await readTag(this.#parts, this.#all, folder);
    for (const tensor of tag.tensors) this.#tensors.push(tensor);
    this.#tied.push(...tag.tied);
    this.#isWhole = this.#isWhole && tag.isWhole;
    return tag;
  }

  /**
   * Files that hold no tensors of the model: read for their checksums, and for what they ask of a
   * loader.
   */
  async #companions(): Promise<void> {
    for (const file of this.#top.filter(({ name }) => companionName.test(name))) {
      const torch = await this.#parts.read(file);
      if (torch) this.#parts.takeSchedulers(torch);
    }
  }

  /** A loss scaler skips steps that the trainer counts, so this is worth a word and no more. */
  #compareSteps(trainer: number | null, optimizer: number | null): void {
    if (trainer === null || optimizer === null || trainer === optimizer) return;
    const message = `the trainer counts ${trainer} steps, the optimizer ${optimizer}`;
    this.#parts.problems.add({ rule: 'note', kind: 'info', file: trainerStateName, message });
  }
}
