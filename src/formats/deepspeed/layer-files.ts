/** Layers of a pipeline and experts, which lie in files of their own. */
import type { SourceFile } from '../../sources/source.ts';
import { markModel } from '../optimizer-state/model-tensors.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { TorchParts } from '../torch-parts.ts';
import type { FlatParameter } from './flat-layout.ts';
import type { ShapeTable } from './stored-values.ts';

export interface LayerTensors {
  readonly tensors: readonly TensorDraft[];
  /** Numbers of the layers that have a file. */
  readonly layers: ReadonlySet<number>;
  /**
   * By the name that the optimizer's part knows: layer, dot, name; an expert's own. Empty where
   * several ranks slice each file's tensors.
   */
  readonly byName: ReadonlyMap<string, TensorDraft>;
}

const expertName = /^(?:layer_[0-9]+_)?expert_[0-9]+_mp_rank_([0-9]+)_model_states\.pt$/;
const layerName = /^layer_([0-9]{1,9})(?:-model_([0-9]+))?-model_states\.pt$/;

/**
 * Reads layers and experts: their tensors have the names of their files before their own.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readLayers(
  parts: TorchParts,
  files: readonly SourceFile[],
  folder: string,
): Promise<LayerTensors> {
  const tensors: TensorDraft[] = [];
  const layers = new Set<number>();
  const slices = new Set<string>();
  const byName = new Map<string, TensorDraft>();
  for (const file of files) {
    const base = file.name.slice(folder.length);
    const layer = layerName.exec(base);
    const expert = expertName.exec(base);
    if (layer) layers.add(Number(layer[1]));
    if (layer || expert) slices.add(layer?.[2] ?? expert?.[1] ?? '');
    for (const [name, tensor] of await readLayer(parts, file, base)) {
      tensors.push(tensor);
      if (layer) byName.set(`${Number(layer[1])}.${name}`, tensor);
      if (expert) byName.set(name, tensor);
    }
  }
  return { tensors, layers, byName: slices.size > 1 ? new Map() : byName };
}

async function readLayer(
  parts: TorchParts,
  file: SourceFile,
  base: string,
): Promise<readonly (readonly [string, TensorDraft])[]> {
  const torch = await parts.read(file);
  if (!torch) return [];
  const stem = base.replace(/(-model_states|_model_states|_optim_states)?\.pt$/, '');
  const named = torch.tensors.map((tensor) => [tensor.name, tensor] as const);
  const drafts = new Map<string, TensorDraft>();
  for (const [, tensor] of named) {
    tensor.name = `${stem}.${tensor.name}`;
    if (tensor.aliasOf !== null) tensor.aliasOf = `${stem}.${tensor.aliasOf}`;
    drafts.set(tensor.name, tensor);
  }
  if (!/_optim_states\.pt$/.test(base)) {
    markModel({ prefix: `${stem}.`, tensors: drafts, order: 'order' });
  }
  return named;
}

/** The weights of parameters. What layers of a pipeline share has another name, and is left out. */
export function weightsOf(
  parameters: readonly FlatParameter[],
  { byName }: LayerTensors,
): ReadonlyMap<string, TensorDraft> {
  const weights = new Map<string, TensorDraft>();
  for (const { name, shape } of parameters) {
    const tensor = byName.get(name);
    if (tensor && sameShape(tensor.shape, shape)) weights.set(name, tensor);
  }
  return weights;
}

/** Layers whose parameters a stage trains, and that have no file. */
export function lostLayers(
  shapes: readonly ShapeTable[],
  { layers }: LayerTensors,
): readonly number[] {
  const lost = new Set<number>();
  for (const name of shapes.flatMap((table) => [...table.keys()])) {
    const match = /^([0-9]{1,9})\./.exec(name);
    if (match && !layers.has(Number(match[1]))) lost.add(Number(match[1]));
  }
  return [...lost];
}
