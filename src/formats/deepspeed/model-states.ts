/** A model's own file: weights, buffers, and what it says of how the optimizer cut them. */
import { isFloat } from '../../checkpoint/dtype.ts';
import type { SourceFile } from '../../sources/source.ts';
import { markModel } from '../optimizer-state/model-tensors.ts';
import type { ModelTensors } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { entryOf, isDict, isSequence, type PickleValue } from '../pickle/values.ts';
import type { TorchParts } from '../torch-parts.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { countOf, type ShapeTable, shapeTableOf, shapeTablesOf } from './stored-values.ts';

export const modulePrefix = 'module.';

export interface ModelStates {
  readonly file: SourceFile;
  readonly torch: TorchFile;
  /** Steps that the engine counted, skipped ones included. */
  readonly steps: number | null;
  readonly skipped: number;
  /** Data-parallel ranks, where the file says. */
  readonly ranks: number | null;
  /** Ranks that share the model, its stages and slices, where the file says. */
  readonly modelRanks: number | null;
  /** Parameters of each flat vector in their order; null without ZeRO. */
  readonly shapes: readonly ShapeTable[] | null;
  readonly frozen: ShapeTable;
  /** This rank's parts of frozen parameters, or the whole of them. */
  readonly fragments: ReadonlyMap<string, TensorDraft>;
  /** A scheduler of any kind was saved. */
  readonly hasScheduler: boolean;
  /** The model's tensors, without the places that ZeRO 3 leaves empty. */
  readonly model: ModelTensors;
  /** Tensors of whoever trains, by their path. */
  readonly others: readonly TensorDraft[];
}

/**
 * Null where the file cannot be read, which is told.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readModelStates(
  parts: TorchParts,
  file: SourceFile,
): Promise<ModelStates | null> {
  const torch = await parts.read(file);
  if (!torch || torch.root === undefined) return null;
  parts.takeSchedulers(torch);
  const { root } = torch;
  const shapes = shapeTablesOf(entryOf(root, 'param_shapes'), file.name);
  const frozen = shapeTableOf(entryOf(root, 'frozen_param_shapes'), file.name) ?? new Map();
  const model = modelOf(torch);
  const names = new Set([
    ...(shapes ?? []).flatMap((table) => [...table.keys()]),
    ...frozen.keys(),
  ]);
  dropPlaceholders(model, names, entryOf(root, 'shared_params'));
  markBuffers(model, entryOf(root, 'buffer_names'));
  return {
    file,
    torch,
    steps: countOf(entryOf(root, 'global_steps')),
    skipped: countOf(entryOf(root, 'skipped_steps')) ?? 0,
    ranks: countOf(entryOf(root, 'dp_world_size')),
    modelRanks: countOf(entryOf(root, 'mp_world_size')),
    shapes,
    frozen,
    fragments: fragmentsIn(torch),
    hasScheduler: isDict(entryOf(root, 'lr_scheduler')),
    model: { prefix: modulePrefix, tensors: model, order: 'order' },
    others: torch.tensors.filter(({ name }) => isOther(name)),
  };
}

/**
 * Reads the files of all data-parallel ranks. ZeRO 3 writes one each, alike but for its parts of
 * frozen parameters: of a thousand of them one is kept whole.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readAllModelStates(
  parts: TorchParts,
  files: ReadonlyMap<number, SourceFile>,
): Promise<ReadonlyMap<number, ModelStates>> {
  const read = new Map<number, ModelStates>();
  for (const [rank, file] of files) {
    const states = await readModelStates(parts, file);
    if (states) read.set(rank, read.size === 0 ? states : slender(states));
  }
  return read;
}

function slender(states: ModelStates): ModelStates {
  const nothing = { root: undefined, containers: [], tensors: [], byPath: new Map() };
  const torch: TorchFile = { ...states.torch, ...nothing, places: new Map(), checksums: [] };
  const model: ModelTensors = { ...states.model, tensors: new Map() };
  return { ...states, torch, model, shapes: null, frozen: new Map(), others: [] };
}

/** Everything beside the weights and what the optimizer's own reader takes. */
function isOther(name: string): boolean {
  return !/^(module|optimizer|frozen_param_fragments)\./.test(name);
}

function modelOf({ byPath }: TorchFile): Map<string, TensorDraft> {
  const tensors = new Map<string, TensorDraft>();
  for (const [path, tensor] of byPath) {
    if (path.startsWith(modulePrefix)) tensors.set(path.slice(modulePrefix.length), tensor);
  }
  return tensors;
}

/** ZeRO 3 keeps the names of parameters whose elements lie with the ranks. */
function dropPlaceholders(
  model: Map<string, TensorDraft>,
  names: ReadonlySet<string>,
  shared: PickleValue | undefined,
): void {
  const isKnown = (name: string) => {
    return names.has(name) || (isDict(shared) && shared.entries.has(name));
  };
  const empty = [...model].filter(([, { elements }]) => elements === 0);
  // Only rank 0 knows what is tied; a name that no table knows stays a tensor without elements.
  for (const [name] of empty) if (isKnown(name)) model.delete(name);
}

/** What the file calls a buffer is one, and what it does not is none. */
function markBuffers(
  tensors: ReadonlyMap<string, TensorDraft>,
  list: PickleValue | undefined,
): void {
  markModel({ prefix: modulePrefix, tensors, order: 'order' });
  if (!isSequence(list)) return;
  const buffers = new Set(list.items);
  for (const [name, tensor] of tensors) {
    if (buffers.has(name)) tensor.role = 'buffer';
    else if (isFloat(tensor.dtype)) tensor.role = 'parameter';
  }
}

function fragmentsIn({ byPath }: TorchFile): ReadonlyMap<string, TensorDraft> {
  const prefix = 'frozen_param_fragments.';
  const fragments = new Map<string, TensorDraft>();
  for (const [path, tensor] of byPath) {
    if (path.startsWith(prefix)) fragments.set(path.slice(prefix.length), tensor);
  }
  return fragments;
}
