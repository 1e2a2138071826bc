/** Megatron's own folders: `iter_NNNNNNN/mp_rank_TT/model_optim_rng.pt`, a file for each rank. */
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { markModel } from '../optimizer-state/model-tensors.ts';
import type { ModelTensors } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { entryOf, isDict, isSequence, type PickleDict } from '../pickle/values.ts';
import { TorchParts } from '../torch-parts.ts';
import { readContents } from '../torch-zip/contents.ts';
import { OptimizerReader } from '../torch-zip/optimizer-reader.ts';
import { readTorchFile, type TorchFile } from '../torch-zip/torch-file.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { bucketOptimizer, findBuckets } from './flat-buckets.ts';
import {
  distributedFile,
  isRankFile,
  modelFile,
  type Parallelism,
  parallelismOf,
  type RankFolder,
  rankFolders,
} from './rank-folders.ts';
import { nameByRank, nameStatesByRank } from './rank-names.ts';

export const megatronLegacy: Format = {
  id: 'megatron-legacy',
  title: 'Megatron-LM: a folder iter_N of mp_rank folders',
  recognise,
  complete: ({ source, files }) => isComplete(source, files),
  open: ({ source, files }) => new FolderReader(source, rankFolders(files)).read(),
};

function recognise({ source, files }: Sighting): 'certain' | 'named' | 'no' {
  return !source.isFile && files.some(({ name }) => isRankFile(name)) ? 'certain' : 'no';
}

/** Files that the arguments of the run promise and that are not there. */
function missingFiles(
  { folders, isDistributed }: Parallelism,
  present: readonly RankFolder[],
): readonly string[] {
  const files = new Map(present.map((folder) => [folder.name, folder.files]));
  const wanted = folders ?? present.map(({ name }) => name);
  return wanted.flatMap((name) => {
    const needed = isDistributed ? [modelFile, distributedFile] : [modelFile];
    return needed.filter((file) => !files.get(name)?.has(file)).map((file) => `${name}/${file}`);
  });
}

/** Each rank writes its own files; the first one's arguments say how many there must be. */
async function isComplete(source: Source, files: readonly SourceFile[]): Promise<boolean> {
  const folders = rankFolders(files);
  const file = folders[0]?.files.get(modelFile);
  if (!file) return false;
  for (const { files: own } of folders) {
    for (const each of own.values()) if (!(await isArchiveEnded(source, each))) return false;
  }
  const { root } = await readTorchFile(source, file.name, file.sizeBytes);
  return missingFiles(parallelismOf(root), folders).length === 0;
}

/** What one rank counts. */
interface Counted {
  readonly file: string;
  readonly step: number;
}

class FolderReader {
  readonly #parts: TorchParts;
  readonly #folders: readonly RankFolder[];
  readonly #tensors: TensorDraft[] = [];
  readonly #tied: (readonly [string, string])[] = [];
  readonly #optimizers: Optimizer[] = [];
  readonly #frozen: string[] = [];
  readonly #counted: Counted[] = [];
  #parallelism: Parallelism | null = null;

  constructor(source: Source, folders: readonly RankFolder[]) {
    this.#parts = new TorchParts(source);
    this.#folders = folders;
  }

  async read(): Promise<Checkpoint> {
    for (const folder of this.#folders) await this.#rank(folder);
    const missing = missingFiles(this.#parallelism ?? unknownRanks, this.#folders);
    for (const file of missing.slice(0, missingMost)) {
      const message = 'a rank’s file is missing';
      this.#tell([{ rule: 'shard-missing', kind: 'damage', file, message }]);
    }
    this.#tell(mixedIterations(this.#counted));
    const { source, files, checksums, schedulers, problems, isWhole } = this.#parts;
    return {
      path: source.path,
      layout: 'megatron-legacy',
      step: this.#counted.reduce<number | null>((a, { step }) => Math.max(a ?? step, step), null),
      complete: isWhole && missing.length === 0,
      files: files.map(fileStateOf),
      tensors: this.#tensors,
      optimizers: this.#optimizers,
      frozen: this.#frozen,
      tied: this.#tied,
      hasScheduler: schedulers.length > 0,
      schedulers,
      checksums,
      problems: problems.toArray(),
    };
  }

  #tell(problems: readonly Problem[]): void {
    this.#parts.problems.addAll(problems);
  }

  /** Ranks hold slices under one name each: with several of them, names say the rank. */
  #suffix({ name }: RankFolder): string {
    return this.#folders.length > 1 ? ` (${name})` : '';
  }

  async #rank(folder: RankFolder): Promise<void> {
    const suffix = this.#suffix(folder);
    const file = folder.files.get(modelFile);
    const torch = file ? await this.#torch(file, suffix) : null;
    if (file && torch) await this.#model(file, torch, suffix);
    for (const [name, other] of folder.files) {
      if (name === modelFile) continue;
      const read = await this.#torch(other, suffix);
      if (!read || !torch || name !== distributedFile) continue;
      const optimizers = distributedOptimizers(read, other, torch);
      this.#optimizers.push(...nameStatesByRank(optimizers, suffix));
    }
  }

  async #torch(file: SourceFile, suffix: string): Promise<TorchFile | null> {
    const torch = await this.#parts.read(file);
    if (!torch) return null;
    nameByRank(torch.tensors, suffix);
    for (const tensor of torch.tensors) this.#tensors.push(tensor);
    this.#tied.push(...torch.tied.map(([a, b]) => [a + suffix, b + suffix] as const));
    return torch;
  }

  async #model(file: SourceFile, torch: TorchFile, suffix: string): Promise<void> {
    this.#parts.takeSchedulers(torch);
    this.#parallelism ??= parallelismOf(torch.root);
    const models = modelsOf(torch);
    for (const model of models) markModel(model);
    const from = { source: this.#parts.source, file };
    const contents = await readContents(from, torch, models);
    this.#tell(contents.problems);
    if (contents.step !== null) this.#counted.push({ file: file.name, step: contents.step });
    this.#optimizers.push(...nameStatesByRank(contents.optimizers, suffix));
    this.#frozen.push(...contents.frozen);
  }
}

/** The moments lie in `torch`; the groups, without their parameters, in the model's file. */
function distributedOptimizers(
  torch: TorchFile,
  { name }: SourceFile,
  model: TorchFile,
): readonly Optimizer[] {
  const buckets = findBuckets(torch.byPath);
  if (buckets.length === 0) return [];
  const dict = groupsWithoutState(model);
  const reader = new OptimizerReader(model, { name, tensorValue: () => undefined });
  const stored = dict ? reader.read({ ...dict, parent: undefined }) : noGroups(name);
  return [bucketOptimizer(stored, buckets)];
}

const unknownRanks: Parallelism = { folders: null, isDistributed: false };

/** Missing files that are named one by one. */
const missingMost = 100;

function noGroups(file: string) {
  return { prefix: '', file, groups: [] };
}

/** `model`, or `model0`, `model1`, … with a virtual pipeline. */
function modelsOf({ byPath }: TorchFile): ModelTensors[] {
  const models = new Map<string, Map<string, TensorDraft>>();
  for (const [path, tensor] of byPath) {
    const prefix = /^model[0-9]{0,4}\./.exec(path)?.[0];
    if (prefix === undefined) continue;
    const own = models.get(prefix) ?? new Map<string, TensorDraft>();
    models.set(prefix, own.set(path.slice(prefix.length), tensor));
  }
  return [...models].map(([prefix, tensors]) => ({ prefix, tensors, order: 'order' }));
}

/** The optimizer's dictionary where it holds groups and no state. */
function groupsWithoutState({ containers }: TorchFile): { path: string; dict: PickleDict } | null {
  for (const { path, value } of containers) {
    if (!/^optimizer(\.|$)/.test(path) || !isDict(value)) continue;
    if (isSequence(entryOf(value, 'param_groups'))) return { path, dict: value };
  }
  return null;
}

/** The iteration that most ranks count is the present one; of equally many the later. */
function mixedIterations(counted: readonly Counted[]): Problem[] {
  const files = new Map<number, number>();
  for (const { step } of counted) files.set(step, (files.get(step) ?? 0) + 1);
  if (files.size <= 1) return [];
  const [present] = [...files].reduce((a, b) => {
    return b[1] > a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a;
  });
  return counted.flatMap(({ file, step }): Problem[] => {
    if (step === present) return [];
    const message = `it is of iteration ${step}, and the others of ${present}: another save's file`;
    return [{ rule: 'shard-stale', kind: 'damage', file, message }];
  });
}
