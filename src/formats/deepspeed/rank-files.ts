/** Files of a DeepSpeed checkpoint by their names: which rank wrote each, and what it holds. */
import type { SourceFile } from '../../sources/source.ts';

/** The files of one model-parallel rank. */
export interface RankFiles {
  /** Where they lie in the source: with a slash, or empty. */
  readonly folder: string;
  readonly modelRank: number;
  /** By data-parallel rank; before ZeRO 3 there is one, of rank 0. */
  readonly models: ReadonlyMap<number, SourceFile>;
  /** By data-parallel rank. */
  readonly optimizers: ReadonlyMap<number, SourceFile>;
}

export interface FolderFiles {
  readonly ranks: readonly RankFiles[];
  /** Layers of pipelines and experts, which lie in files of their own. */
  readonly layers: readonly SourceFile[];
  /** Files that claim the place of another. */
  readonly repeated: readonly SourceFile[];
}

const modelName = /^(?:zero_pp_rank_([0-9]{1,6})_)?mp_rank_([0-9]{2,6})_model_states\.pt$/;
const optimizerName =
  /^(?:bf16_)?zero_pp_rank_([0-9]{1,6})_mp_rank_([0-9]{2,6})_?optim_states\.pt$/;
const layerNames = [
  /^layer_[0-9]+(?:-model_[0-9]+)?-model_states\.pt$/,
  /^(?:layer_[0-9]+_)?expert_[0-9]+_mp_rank_[0-9]+_model_states\.pt$/,
  /^expp_rank_[0-9]+_mp_rank_[0-9]+_optim_states\.pt$/,
];

/** True for a file that DeepSpeed writes into a tag's folder. */
export function isDeepSpeedName(name: string): boolean {
  return [modelName, optimizerName, ...layerNames].some((pattern) => pattern.test(name));
}

/** The name of a file that lies directly in the folder; null for any other. */
function nameIn(folder: string, { name }: SourceFile): string | null {
  const rest = name.slice(folder.length);
  return name.startsWith(folder) && !rest.includes('/') ? rest : null;
}

/** Sorts the files of one folder by what wrote them; other files are left out. */
export function sortRankFiles(all: readonly SourceFile[], folder: string): FolderFiles {
  const files = all.filter((file) => nameIn(folder, file) !== null);
  const ranks = new Map<number, Parts>();
  const repeated: SourceFile[] = [];
  for (const file of files) {
    const name = nameIn(folder, file) ?? '';
    const model = modelName.exec(name);
    const match = model ?? optimizerName.exec(name);
    if (!match) continue;
    const modelRank = Number(match[2]);
    const parts = ranks.get(modelRank) ?? { models: new Map(), optimizers: new Map() };
    ranks.set(modelRank, parts);
    const place = model ? parts.models : parts.optimizers;
    const rank = Number(match[1] ?? 0);
    if (place.has(rank)) repeated.push(file);
    else place.set(rank, file);
  }
  const layers = files.filter((file) => {
    return layerNames.some((pattern) => pattern.test(nameIn(folder, file) ?? ''));
  });
  const sorted = [...ranks].sort(([a], [b]) => a - b);
  return {
    ranks: sorted.map(([modelRank, { models, optimizers }]) => {
      return { folder, modelRank, models: inOrder(models), optimizers: inOrder(optimizers) };
    }),
    layers,
    repeated,
  };
}

interface Parts {
  readonly models: Map<number, SourceFile>;
  readonly optimizers: Map<number, SourceFile>;
}

function inOrder(files: ReadonlyMap<number, SourceFile>): ReadonlyMap<number, SourceFile> {
  return new Map([...files].sort(([a], [b]) => a - b));
}

/** The name that the file of another data-parallel rank would have. */
export function nameOfRank(name: string, rank: number): string {
  return name.replace(/zero_pp_rank_[0-9]+/, `zero_pp_rank_${rank}`);
}

/** `mp_rank_00`: what the files of a model-parallel rank are called. */
export function modelRankName(rank: number): string {
  return `mp_rank_${String(rank).padStart(2, '0')}`;
}
