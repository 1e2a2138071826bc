/** A folder of accelerate's save_state: weights, optimizers, schedulers, random states. */
import type { Checkpoint, EncodedFile } from '../checkpoint/checkpoint.ts';
import type { Optimizer } from '../checkpoint/optimizer.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { fileStateOf, type Source, type SourceFile } from '../sources/source.ts';
import type { Format, Sighting } from './format.ts';
import { areFsdpFoldersWhole, holdsFsdpFolders, readFsdpFolders } from './fsdp-folders.ts';
import { readTrainerWeights, weightFilesOf } from './hf-trainer-weights.ts';
import { markModel } from './optimizer-state/model-tensors.ts';
import type { ModelTensors } from './optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from './optimizer-state/tensor-draft.ts';
import { readSafetensorsFile } from './safetensors-file.ts';
import { TorchParts } from './torch-parts.ts';
import { readContents } from './torch-zip/contents.ts';
import type { TorchFile } from './torch-zip/torch-file.ts';
import { agreedStep } from './torch-zip/trainer-state.ts';

export const accelerate: Format = {
  id: 'accelerate',
  title: 'accelerate: a folder of save_state',
  recognise: ({ source, files }) => {
    return !source.isFile && files.some(({ name }) => randomStates.test(name)) ? 'certain' : 'no';
  },
  complete,
  open: async ({ source, files }) => new StateReader(source, files).read(),
};

/** Written after the models and the optimizers, by every rank. */
const randomStates = /^random_states_[0-9]+\.pkl$/;
const optimizerName = /^optimizer(?:_([0-9]{1,4}))?\.bin$/;
const schedulerName = /^scheduler(_[0-9]{1,4})?\.bin$/;
const companionName = /^(sampler(_[0-9]+)?|dl_state_dict(_[0-9]+)?)\.bin$|^scaler\.pt$/;
const customName = /^custom_checkpoint_[0-9]+\.pkl$/;

/** Further models: `model_1.safetensors`, `pytorch_model_1.bin`. */
const furtherModel = /^(?:pytorch_)?model_([0-9]{1,4})\.(safetensors|bin)$/;

function topOf(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ name }) => !name.includes('/'));
}

async function complete(sighting: Sighting): Promise<boolean> {
  const { source, files } = sighting;
  const top = topOf(files);
  if (holdsFsdpFolders(files)) return areFsdpFoldersWhole(source, files);
  if (weightFilesOf(top).length === 0) return false;
  // No file is the last for sure: all of them must be whole.
  return (await new StateReader(source, files).read()).complete;
}

class StateReader {
  readonly #source: Source;
  readonly #all: readonly SourceFile[];
  readonly #top: readonly SourceFile[];
  readonly #parts: TorchParts;
  readonly #tensors: Tensor[] = [];
  readonly #optimizers: Optimizer[] = [];
  readonly #frozen: string[] = [];
  readonly #tied: (readonly [string, string])[] = [];
  readonly #encoded: EncodedFile[] = [];
  #isWhole = true;

  constructor(source: Source, files: readonly SourceFile[]) {
    this.#source = source;
    this.#all = files;
    this.#top = topOf(files);
    this.#parts = new TorchParts(source);
  }

  async read(): Promise<Checkpoint> {
    const models = await this.#models();
    if (holdsFsdpFolders(this.#all)) await this.#fsdp();
    else if (models.length === 0) this.#missingWeights();
    for (const file of this.#top) await this.#file(file, models);
    const { files, checksums, problems, schedulers } = this.#parts;
    return {
      path: this.#source.path,
      layout: 'accelerate',
      step: agreedStep(this.#optimizers),
      complete: this.#isWhole && this.#parts.isWhole,
      files: files.map(fileStateOf),
      tensors: this.#tensors,
      optimizers: this.#optimizers,
      frozen: this.#frozen,
      tied: this.#tied,
      hasScheduler: schedulers.length > 0,
      schedulers,
      checksums,
      encoded: this.#encoded,
      problems: problems.toArray(),
    };
  }

  /** The first model under its own names, the others with theirs told apart. */
  async #models(): Promise<readonly ModelTensors[]> {
    const further = this.#top.filter(({ name }) => furtherModel.test(name));
    const first = this.#top.filter((file) => !further.includes(file));
    const weights = await readTrainerWeights(this.#source, first);
    const models = [...weights.models];
    this.#isWhole = weights.isWhole;
    this.#parts.files.push(...weights.files);
    this.#parts.problems.addAll(weights.problems);
    this.#parts.checksums.push(...weights.checksums);
    this.#tied.push(...weights.tied);
    for (const file of further) models.push(await this.#further(file));
    for (const { tensors } of models) this.#tensors.push(...tensors.values());
    return models;
  }

  async #further(file: SourceFile): Promise<ModelTensors> {
    const [, index = ''] = furtherModel.exec(file.name) ?? [];
    const drafts = file.name.endsWith('.bin')
      ? await this.#torchWeights(file)
      : await this.#safetensors(file);
    const tensors = new Map(drafts.map((draft) => [draft.name, draft]));
    for (const draft of drafts) {
      draft.nameInFile = draft.name;
      draft.name = `${draft.name} (model ${index})`;
    }
    const model: ModelTensors = { prefix: '', tensors, order: 'sorted' };
    markModel(model);
    return model;
  }

  async #torchWeights(file: SourceFile): Promise<readonly TensorDraft[]> {
    return (await this.#parts.read(file))?.tensors ?? [];
  }

  async #safetensors(file: SourceFile): Promise<readonly TensorDraft[]> {
    const { tensors, problems, isWhole } = await readSafetensorsFile(this.#source, file);
    this.#parts.files.push(file);
    this.#parts.problems.addAll(problems);
    this.#isWhole = this.#isWhole && isWhole;
    return tensors.map((tensor) => ({ ...tensor }));
  }

  async #fsdp(): Promise<void> {
    const { contents, ...read } = await readFsdpFolders(this.#source, this.#all);
    for (const { tensors, optimizers, frozen } of contents) {
      this.#tensors.push(...tensors);
      this.#optimizers.push(...optimizers);
      this.#frozen.push(...frozen);
    }
    this.#parts.files.push(...read.files);
    this.#parts.checksums.push(...read.checksums);
    this.#parts.problems.addAll(read.problems);
    this.#encoded.push(...read.encoded);
    this.#isWhole = this.#isWhole && read.isWhole;
  }

  #missingWeights(): void {
    this.#isWhole = false;
    const message = 'the weights are missing: there is neither this file nor another of its kind';
    const file = 'model.safetensors';
    this.#parts.problems.add({ rule: 'shard-missing', kind: 'damage', file, message });
  }

  async #file(file: SourceFile, models: readonly ModelTensors[]): Promise<void> {
    const { name } = file;
    const isOptimizer = optimizerName.test(name);
    if (!isOptimizer && !companions.some((pattern) => pattern.test(name))) return;
    const torch = await this.#parts.read(file);
    if (!torch) return;
    this.#parts.takeSchedulers(torch);
    if (!isOptimizer && !customName.test(name)) return;
    const [, index] = optimizerName.exec(name) ?? [];
    const stem = isOptimizer ? (index ? `optimizer_${index}` : '') : name.replace(/\.pkl$/, '');
    for (const draft of torch.tensors) tellApart(draft, stem);
    if (isOptimizer) await this.#optimizer({ file, torch, stem }, models);
    this.#tensors.push(...torch.tensors);
    if (stem === '') this.#tied.push(...torch.tied);
  }

  async #optimizer(
    { file, torch, stem }: { file: SourceFile; torch: TorchFile; stem: string },
    models: readonly ModelTensors[],
  ): Promise<void> {
    const contents = await readContents({ source: this.#source, file }, torch, models);
    this.#parts.problems.addAll(contents.problems);
    this.#optimizers.push(...contents.optimizers.map((each) => withStem(each, stem)));
    this.#frozen.push(...contents.frozen);
  }
}

/** States of one path in several files: as with their tensors, all but the first carry their file. */
function withStem(optimizer: Optimizer, stem: string): Optimizer {
  if (stem === '') return optimizer;
  const renamed = new Map(optimizer.parameters.map(({ path }) => [path, `${stem}.${path}`]));
  const keyOf = (key: string) => renamed.get(key) ?? key;
  return {
    ...optimizer,
    groups: optimizer.groups.map((group) => ({ ...group, keys: group.keys.map(keyOf) })),
    parameters: optimizer.parameters.map((state) => ({
      ...state,
      key: keyOf(state.key),
      path: keyOf(state.path),
    })),
  };
}

const companions = [randomStates, schedulerName, companionName, customName];

/** Files of one folder have tensors of one path: all but the first optimizer's carry their file. */
function tellApart(draft: TensorDraft, stem: string): void {
  if (stem === '') return;
  draft.nameInFile = draft.name;
  draft.name = `${stem}.${draft.name}`;
  if (draft.aliasOf !== null) draft.aliasOf = `${stem}.${draft.aliasOf}`;
}
