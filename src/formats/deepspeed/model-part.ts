/** The files of one model-parallel rank as weights and an optimizer. */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { SourceFile } from '../../sources/source.ts';
import { buildOptimizer } from '../optimizer-state/build-optimizer.ts';
import { findFrozen } from '../optimizer-state/frozen.ts';
import { hyperParameterProblems } from '../optimizer-state/hyper-parameters.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { TorchParts } from '../torch-parts.ts';
import { readContents } from '../torch-zip/contents.ts';
import { findOptimizerDicts, scalarsOf } from '../torch-zip/optimizer-dicts.ts';
import { OptimizerReader } from '../torch-zip/optimizer-reader.ts';
import { readScalars } from '../torch-zip/scalars.ts';
import { cutVectors } from './cut-vectors.ts';
import type { FlatParameter } from './flat-layout.ts';
import { type FlatSource, nameParameters, type RankVectors } from './flat-optimizer.ts';
import { joinFrozen } from './frozen-shares.ts';
import { fusedMasters, fusedParameters, fusedStatePath } from './fused-vectors.ts';
import { type LayerTensors, lostLayers, weightsOf } from './layer-files.ts';
import { type ModelStates, readAllModelStates } from './model-states.ts';
import { countNote, misplaced, rankFaults } from './rank-agreement.ts';
import { modelRankName, nameOfRank, type RankFiles } from './rank-files.ts';
import { type RankShare, readRankShare } from './rank-share.ts';

export interface ModelPart {
  /** File of the model's states; null where none could be read. */
  readonly file: string | null;
  readonly step: number | null;
  /** Ranks that share the model, as this one says. */
  readonly modelRanks: number | null;
  readonly tensors: readonly TensorDraft[];
  readonly optimizers: readonly Optimizer[];
  readonly frozen: readonly string[];
  readonly tied: readonly (readonly [string, string])[];
  readonly hasScheduler: boolean;
  /** No rank's file is missing. */
  readonly isWhole: boolean;
}

export interface PartContext {
  /**
   * Goes before every name where there are several model-parallel ranks: each holds its own slices
   * of the same parameters.
   */
  readonly label: string;
  readonly layers: LayerTensors;
}

/**
 * Reads the files of one model-parallel rank.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readModelPart(
  parts: TorchParts,
  files: RankFiles,
  context: PartContext,
): Promise<ModelPart> {
  const models = await readAllModelStates(parts, files.models);
  const shares = new Map<number, RankShare>();
  for (const [rank, file] of files.optimizers) {
    const share = await readRankShare(parts, file, rank);
    if (share) shares.set(rank, share);
  }
  const reader = new PartReader(parts, { files, models, shares }, context);
  return reader.read();
}

interface ReadFiles {
  readonly files: RankFiles;
  readonly models: ReadonlyMap<number, ModelStates>;
  readonly shares: ReadonlyMap<number, RankShare>;
}

class PartReader {
  readonly #parts: TorchParts;
  readonly #read: ReadFiles;
  readonly #label: string;
  readonly #layers: LayerTensors;
  readonly #tensors: TensorDraft[] = [];
  #isWhole = true;

  constructor(parts: TorchParts, read: ReadFiles, { label, layers }: PartContext) {
    this.#parts = parts;
    this.#read = read;
    this.#label = label;
    this.#layers = layers;
  }

  async read(): Promise<ModelPart> {
    const { models, shares } = this.#read;
    const ranks = this.#checkRanks();
    const states = [...models.values()];
    const vectors = [...shares.values()];
    this.#tell(rankFaults(vectors, states));
    this.#tell(misplaced(this.#archives()));
    const [model] = states;
    if (!model) return this.#result(null, [], []);
    this.#listModel(model);
    this.#checkLayers(model);
    if (shares.size === 0) return this.#readWithoutZero(model);
    this.#tell(countNote(vectors, states));
    if (!model.shapes) return this.#result(model, [], []);
    const cut = cutVectors({ shapes: model.shapes, shares, ranks });
    this.#tell(cut.problems);
    return this.#named(model, { ranks: shares, parameters: cut.parameters, mapping: 'fqn' });
  }

  #tell(problems: readonly Problem[]): void {
    this.#parts.problems.addAll(problems);
  }

  #archives(): { file: string; archiveName: string }[] {
    const models = [...this.#read.models.values()].map(({ file, torch }) => {
      return { file: file.name, archiveName: torch.archiveName };
    });
    return [...models, ...this.#read.shares.values()];
  }

  /** Ranks that must have files; those that have none are told. */
  #checkRanks(): number {
    const { files, models, shares } = this.#read;
    const [model] = models.values();
    const told = [...shares.values()].flatMap(({ ranks }) => ranks ?? []);
    const wanted = wantedRanks(told, model ?? null);
    const [optimizer] = files.optimizers.values();
    const example = optimizer?.name ?? (wanted > 0 ? guessedName(files) : null);
    if (example) this.#missing(files.optimizers, example, wanted);
    const [name] = files.models.values();
    if (!name) this.#lost(`${files.folder}${modelRankName(files.modelRank)}_model_states.pt`);
    else if (name.name.startsWith(`${files.folder}zero_`))
      this.#missing(files.models, name.name, wanted);
    return Math.max(wanted, 1);
  }

  #missing(files: ReadonlyMap<number, SourceFile>, example: string, wanted: number): void {
    for (let rank = 0, told = 0; rank < wanted && told < lostMost; rank += 1) {
      if (files.has(rank)) continue;
      told += 1;
      this.#lost(nameOfRank(example, rank));
    }
    const extra = [...files].filter(([rank]) => rank >= wanted && wanted > 0);
    for (const [, { name }] of extra) {
      const message = `only ${wanted} ranks share this checkpoint: the file is of another save`;
      this.#tell([{ rule: 'shard-stale', kind: 'info', file: name, message }]);
    }
  }

  #lost(file: string, whose = 'a rank'): void {
    this.#isWhole = false;
    const message = `${whose}’s file is missing`;
    this.#tell([{ rule: 'shard-missing', kind: 'damage', file, message }]);
  }

  /** A pipeline's own file holds no weights: they lie in the files of its layers. */
  #checkLayers({ model, shapes }: ModelStates): void {
    if (model.tensors.size > 0 || this.#layers.layers.size === 0) return;
    for (const layer of lostLayers(shapes ?? [], this.#layers)) {
      const number = String(layer).padStart(2, '0');
      this.#lost(`${this.#read.files.folder}layer_${number}-model_states.pt`, 'a layer');
    }
  }

  #listModel(model: ModelStates): void {
    this.#take([...model.model.tensors.values()]);
    this.#take(model.others);
    this.#take(joinFrozen(this.#read.models));
  }

  #take(tensors: readonly TensorDraft[]): void {
    for (const tensor of tensors) {
      tensor.name = `${this.#label}${tensor.name}`;
      if (tensor.aliasOf !== null) tensor.aliasOf = `${this.#label}${tensor.aliasOf}`;
      this.#tensors.push(tensor);
    }
  }

  /** One file holds everything: FP16_Optimizer's vectors, or an optimizer as torch writes it. */
  async #readWithoutZero(model: ModelStates): Promise<ModelPart> {
    const { torch, file } = model;
    const dicts = findOptimizerDicts(torch.containers);
    const masters = fusedMasters(torch, dicts);
    const dict = dicts.find(({ path }) => path === fusedStatePath);
    const { source } = this.#parts;
    if (!masters || !dict) {
      this.#take(torch.tensors.filter(({ name }) => name.startsWith('optimizer.')));
      const contents = await readContents({ source, file }, torch, [model.model]);
      this.#tell(contents.problems);
      const optimizers = contents.optimizers.map((optimizer) => countAll(optimizer, model));
      return this.#result(model, optimizers, contents.frozen);
    }
    const from = { source, file: file.name, sizeBytes: file.sizeBytes };
    const scalars = await readScalars(from, scalarsOf(dict, torch));
    const tensorValue = (path: string) => scalars.get(torch.byPath.get(path)?.name ?? '');
    const optimizer = new OptimizerReader(torch, { name: file.name, tensorValue }).read(dict);
    const steps = new Map<string, number>();
    for (const [id, { tensors }] of optimizer.states) {
      const step = scalars.get(tensors.get('step')?.name ?? '');
      if (step !== undefined) steps.set(id, step);
    }
    const ranks = new Map<number, RankVectors>([[0, { optimizer, masters, steps }]]);
    const parameters = fusedParameters(torch, model.model.tensors, masters);
    return this.#named(model, { ranks, parameters, mapping: 'storage' });
  }

  #named(
    model: ModelStates,
    from: Pick<FlatSource, 'ranks' | 'parameters' | 'mapping'>,
  ): ModelPart {
    const prefix = `${this.#label}optimizer.`;
    const named = nameParameters({
      ...from,
      model: this.#labelled(model, from.parameters),
      prefix,
    });
    if (!named) return this.#result(model, [], []);
    this.#tensors.push(...named.tensors);
    this.#tell(hyperParameterProblems(named.optimizer));
    const { optimizer, owners, scalars } = named;
    const built = buildOptimizer(optimizer, owners, scalars);
    return this.#result(model, [built], findFrozen([model.model], [named]));
  }

  #labelled({ model }: ModelStates, parameters: readonly FlatParameter[]): ModelStates['model'] {
    const tensors = new Map([...weightsOf(parameters, this.#layers), ...model.tensors]);
    return { ...model, tensors, prefix: `${this.#label}${model.prefix}` };
  }

  #result(
    model: ModelStates | null,
    optimizers: readonly Optimizer[],
    frozen: readonly string[],
  ): ModelPart {
    const names = new Set(this.#tensors.map(({ name }) => name));
    const tied = (model?.torch.tied ?? [])
      .map(([a, b]) => [`${this.#label}${a}`, `${this.#label}${b}`] as const)
      .filter((pair) => pair.every((name) => names.has(name)));
    return {
      file: model?.file.name ?? null,
      step: model?.steps ?? null,
      modelRanks: model?.modelRanks ?? null,
      tensors: this.#tensors,
      optimizers,
      frozen,
      tied,
      hasScheduler: model?.hasScheduler ?? false,
      isWhole: this.#isWhole,
    };
  }
}

/**
 * The engine gives every parameter a gradient at each step: where FusedAdam counted with one of a
 * group alone, and as the engine did, that is the count of all.
 */
function countAll(optimizer: Optimizer, { steps, skipped }: ModelStates): Optimizer {
  const told = steps === null ? null : steps - skipped;
  const isTold = new Map<number | null, boolean>();
  for (const { group, step } of optimizer.parameters) {
    if (step !== null) isTold.set(group, step === told && (isTold.get(group) ?? true));
  }
  const parameters = optimizer.parameters.map((one) => {
    const isCounted = one.step !== null || one.group === null || !isTold.get(one.group);
    if (isCounted || Object.keys(one.tensors).length === 0) return one;
    return { ...one, step: told, stepScope: 'own' as const, stepDtype: 'int' };
  });
  return { ...optimizer, parameters };
}

/** Missing files that are named one by one. */
const lostMost = 100;

/** Ranks whose optimizer states must be there; 0: none, as without ZeRO. */
function wantedRanks(told: readonly number[], model: ModelStates | null): number {
  const counted = told.reduce((a, b) => Math.max(a, b), 0);
  if (counted > 0) return counted;
  // The model's file is written first: parameters that are cut, and no optimizer in it.
  return model?.shapes ? (model.ranks ?? 1) : 0;
}

function guessedName({ folder, modelRank }: RankFiles): string {
  return `${folder}zero_pp_rank_0_${modelRankName(modelRank)}_optim_states.pt`;
}
