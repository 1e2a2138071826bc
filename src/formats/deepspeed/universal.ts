/** DeepSpeed's universal checkpoint: the ranks' shares joined by ds_to_universal, a folder each. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { buildOptimizer } from '../optimizer-state/build-optimizer.ts';
import { findFrozen } from '../optimizer-state/frozen.ts';
import { hyperParameterProblems } from '../optimizer-state/hyper-parameters.ts';
import type { Owner } from '../optimizer-state/map-parameters.ts';
import type { RawGroup, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { isDict } from '../pickle/values.ts';
import { TorchParts } from '../torch-parts.ts';
import { findOptimizerDicts, scalarsOf } from '../torch-zip/optimizer-dicts.ts';
import { OptimizerReader } from '../torch-zip/optimizer-reader.ts';
import { readScalars } from '../torch-zip/scalars.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { absentOwner } from './flat-optimizer.ts';
import { joinFrozen } from './frozen-shares.ts';
import { type ModelStates, modulePrefix, readAllModelStates } from './model-states.ts';
import {
  isTrained,
  type ParameterFolder,
  parameterFolders,
  type ReadParameter,
  readParameter,
} from './parameter-folders.ts';
import { counterFaults } from './rank-agreement.ts';
import { modelRankName, sortRankFiles } from './rank-files.ts';
import { stepsOf } from './rank-share.ts';
import type { Shape } from './stored-values.ts';

export const deepspeedUniversal: Format = {
  id: 'deepspeed-universal',
  title: 'DeepSpeed universal: a folder zero/PARAMETER for each parameter',
  recognise,
  complete: ({ source, files }) => isComplete(source, files),
  open: ({ source, files }) => new UniversalReader(source, files).read(),
};

const stateName = 'zero/optimizer_state.pt';

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  if (source.isFile) return 'no';
  return files.some(({ name }) => /^zero\/.+\/fp32\.pt$/.test(name)) ? 'certain' : 'no';
}

/** The converter works in `tmp`, writes the folders, copies the model states, and removes `tmp`. */
async function isComplete(source: Source, files: readonly SourceFile[]): Promise<boolean> {
  if (files.some(({ name }) => name.startsWith('tmp/'))) return false;
  const { ranks } = sortRankFiles(files, '');
  const models = ranks.flatMap((each) => [...each.models.values()]);
  const folders = parameterFolders(files);
  if (models.length === 0 || missingFiles(folders).length > 0) return false;
  const every = folders.flatMap((folder) => [...folder.files.values()]);
  for (const file of [...models, ...every]) if (!(await isArchiveEnded(source, file))) return false;
  return true;
}

/** Files that other parameters have: all that are trained hold the same state. */
function missingFiles(folders: readonly ParameterFolder[]): readonly string[] {
  const trained = folders.filter(isTrained);
  const keys = new Set(trained.flatMap(({ files }) => [...files.keys()]));
  return trained.flatMap(({ name, files }) => {
    return [...keys].filter((key) => !files.has(key)).map((key) => `zero/${name}/${key}.pt`);
  });
}

interface Groups {
  readonly groups: readonly RawGroup[];
  /** Counters of flat vectors, where stage 3 left them with rank 0's own. */
  readonly steps: ReadonlyMap<string, number>;
}

class UniversalReader {
  readonly #parts: TorchParts;
  readonly #files: readonly SourceFile[];
  readonly #tensors: TensorDraft[] = [];

  constructor(source: Source, files: readonly SourceFile[]) {
    this.#parts = new TorchParts(source);
    this.#files = files;
  }

  async read(): Promise<Checkpoint> {
    const model = await this.#models();
    const { groups, steps } = await this.#groups();
    const folders = parameterFolders(this.#files);
    const shapes = shapesOf(model);
    const read = new Map<string, ReadParameter>();
    for (const folder of folders) {
      const shape = shapes.get(folder.name)?.shape ?? null;
      const parameter = await readParameter(this.#parts, folder, shape);
      read.set(folder.name, parameter);
      for (const tensor of parameter.tensors) this.#tensors.push(tensor);
    }
    this.#tellMissing(folders, shapes);
    this.#parts.problems.addAll(counterFaults([...read.values()], engineSteps(model)));
    const trained = new Set(folders.filter(isTrained).map(({ name }) => name));
    const named = optimizerOf({ read, trained, groups, steps, shapes }, model);
    for (const [name, { master }] of read) {
      if (!master) continue;
      master.role = 'master';
      master.parameter = `${modulePrefix}${name}`;
      master.mapping = 'fqn';
    }
    this.#parts.problems.addAll(hyperParameterProblems(named.optimizer));
    const optimizer = buildOptimizer(named.optimizer, named.owners, named.scalars);
    return this.#checkpoint(model, {
      optimizers: [optimizer],
      frozen: model ? findFrozen([model.model], [named]) : [],
    });
  }

  #checkpoint(
    model: ModelStates | null,
    found: Pick<Checkpoint, 'optimizers' | 'frozen'>,
  ): Checkpoint {
    const { source, files, checksums, schedulers, problems, isWhole } = this.#parts;
    const listed = problems.toArray();
    const names = new Set(this.#tensors.map(({ name }) => name));
    return {
      path: source.path,
      layout: 'deepspeed-universal',
      step: model?.steps ?? null,
      complete: isWhole && model !== null && !listed.some(({ rule }) => rule === 'shard-missing'),
      files: files.map(fileStateOf),
      tensors: this.#tensors,
      ...found,
      tied: (model?.torch.tied ?? []).filter((pair) => pair.every((name) => names.has(name))),
      hasScheduler: (model?.hasScheduler ?? false) || schedulers.length > 0,
      schedulers,
      checksums,
      problems: listed,
    };
  }

  /** Model states are copies of the ranks' own; of several model ranks each holds its slices. */
  async #models(): Promise<ModelStates | null> {
    const { ranks } = sortRankFiles(this.#files, '');
    let first: ModelStates | null = null;
    for (const { modelRank, models } of ranks) {
      const label = ranks.length > 1 ? `${modelRankName(modelRank)}.` : '';
      const states = await readAllModelStates(this.#parts, models);
      const [model] = states.values();
      if (!model) continue;
      const own = [...model.model.tensors.values(), ...model.others, ...joinFrozen(states)];
      for (const tensor of own) {
        tensor.name = `${label}${tensor.name}`;
        if (tensor.aliasOf !== null) tensor.aliasOf = `${label}${tensor.aliasOf}`;
        this.#tensors.push(tensor);
      }
      first ??= label === '' ? model : { ...model, model: { ...model.model, tensors: new Map() } };
    }
    if (!first) this.#lost('mp_rank_00_model_states.pt', 'the model states are missing');
    return first;
  }

  async #groups(): Promise<Groups> {
    const file = this.#files.find(({ name }) => name === stateName);
    const torch = file && (await this.#parts.read(file));
    if (!file) this.#lost(stateName, 'the groups of the optimizer are missing');
    if (!file || !torch || !isDict(torch.root)) return { groups: [], steps: new Map() };
    const [inner] = findOptimizerDicts(torch.containers);
    const dict = inner ?? { path: '', dict: torch.root, parent: undefined };
    const from = { source: this.#parts.source, file: file.name, sizeBytes: file.sizeBytes };
    const scalars = await readScalars(from, scalarsOf(dict, torch));
    const tensorValue = (path: string) => scalars.get(torch.byPath.get(path)?.name ?? '');
    const raw = new OptimizerReader(torch, { name: file.name, tensorValue }).read(dict);
    return { groups: raw.groups, steps: stepsOf(raw, scalars) };
  }

  #lost(file: string, message: string): void {
    this.#parts.problems.add({ rule: 'shard-missing', kind: 'damage', file, message });
  }

  #tellMissing(folders: readonly ParameterFolder[], shapes: ShapesByName): void {
    const names = new Set(folders.map(({ name }) => name));
    for (const name of shapes.keys()) {
      if (!names.has(name)) this.#lost(`zero/${name}/fp32.pt`, 'a parameter’s folder is missing');
    }
    for (const file of missingFiles(folders)) {
      this.#lost(file, 'other parameters have this file, and this one does not');
    }
  }
}

/** Steps that the optimizer took, as the engine counts them. */
function engineSteps(model: ModelStates | null): number | null {
  return model?.steps == null ? null : model.steps - model.skipped;
}

type ShapesByName = ReadonlyMap<string, { readonly shape: Shape; readonly flat: number }>;

function shapesOf(model: ModelStates | null): ShapesByName {
  const tables = [...(model?.shapes ?? [])].entries();
  return new Map(
    [...tables].flatMap(([flat, table]) => {
      return [...table].map(([name, shape]) => [name, { shape, flat }] as const);
    }),
  );
}

interface Read extends Groups {
  readonly read: ReadonlyMap<string, ReadParameter>;
  readonly trained: ReadonlySet<string>;
  readonly shapes: ShapesByName;
}

interface Named {
  readonly optimizer: RawOptimizer;
  readonly owners: ReadonlyMap<string, Owner>;
  readonly scalars: ReadonlyMap<string, number>;
}

/** The order of parameters in a group is that of the flat vectors, which `param_shapes` keeps. */
function optimizerOf(from: Read, model: ModelStates | null): Named {
  const { read, trained, shapes, steps } = from;
  const states = new Map<string, RawState>();
  const owners = new Map<string, Owner>();
  const scalars = new Map<string, number>();
  for (const name of trained) {
    const parameter = read.get(name);
    if (!parameter) continue;
    const { state, step, master } = parameter;
    const flat = String(shapes.get(name)?.flat ?? '');
    const left = step === null ? steps.get(flat) : undefined;
    const plain = left === undefined ? state.plain : new Map(state.plain).set('step', left);
    states.set(name, { ...state, plain });
    const counter = state.tensors.get('step');
    if (counter && step !== null) scalars.set(counter.name, step);
    const shape = { shape: master?.shape ?? [], elements: master?.elements ?? 0 };
    const own = model?.model.tensors.get(name);
    const tensor = own ?? absentOwner(`${modulePrefix}${name}`, shape);
    owners.set(name, { tensor, mapping: 'fqn' });
  }
  const groups = from.groups.map((group) => {
    const flats = new Set(group.ids);
    const named = [...shapes].filter(([name, { flat }]) => {
      return states.has(name) && flats.has(String(flat));
    });
    return { ...group, ids: named.map(([name]) => name) };
  });
  const masters = groups.map(({ ids }) => ids.flatMap((id) => read.get(id)?.master ?? []));
  const isWhole = masters.every((list, i) => list.length === groups[i]?.ids.length);
  const optimizer: RawOptimizer = {
    prefix: 'optimizer.',
    file: stateName,
    states,
    groups,
    masters: isWhole ? masters : null,
  };
  return { optimizer, owners, scalars };
}
