/** Variables of Keras 3 files: layers by class and number, the optimizer's by number alone. */

import { isComplex, isFloat } from '../../checkpoint/dtype.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Source } from '../../sources/source.ts';
import type { Texts } from '../hdf5/hdf5-file.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { readScalar } from '../scalar-value.ts';
import type { KerasConfig } from './keras-config.ts';
import { buildKerasOptimizer } from './keras-optimizer.ts';
import { inModelOrder } from './model-order.ts';
import { orderSlots } from './order-slots.ts';

const optimizerPath = /^(?:.*\/)?optimizer\/(?:inner_optimizer\/)*vars\/[0-9]+$/;

/** One that scales the loss keeps its own few variables, and holds the one that moves weights. */
const innerPart = /\/inner_optimizer\//g;
const variablePath = /^(?:(.*)\/)?([^/]+)\/vars\/([0-9]+)$/;

export interface KerasVariables {
  readonly tensors: readonly TensorDraft[];
  /** Addresses of their headers: arrays are made in the model's order. */
  readonly headers: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, Texts>;
}

export interface KerasRoles {
  readonly optimizers: readonly Optimizer[];
  readonly step: number | null;
}

/** Marks the variables and reads the optimizer's two scalars. @throws LaikaError as `Source.read`. */
export async function readKerasVariables(
  source: Source,
  from: KerasVariables,
  config: KerasConfig,
): Promise<KerasRoles> {
  const all = from.tensors.filter(({ name }) => optimizerPath.test(name));
  const own = new Set(all);
  const model = from.tensors.filter((tensor) => !own.has(tensor));
  markModel(model, from.groups);
  const depth = ({ name }: TensorDraft) => name.match(innerPart)?.length ?? 0;
  const innermost = all.reduce((most, tensor) => Math.max(most, depth(tensor)), 0);
  const state = all.filter((tensor) => depth(tensor) === innermost);
  if (state.length === 0) return { optimizers: [], step: null };
  state.sort((a, b) => numberOf(a) - numberOf(b));
  const [counter, second] = state;
  if (counter?.elements !== 1 || isFloat(counter.dtype)) return { optimizers: [], step: null };
  const parameters = model.filter(({ role }) => role === 'parameter');
  const { className, config: told } = config.settings;
  const ordered = inModelOrder(parameters, {
    headers: from.headers,
    configured: configuredPlaces(from.groups, config),
  });
  const prefix = `${counter.name.slice(0, counter.name.lastIndexOf('/'))}/`;
  const named = nameOf(from.groups.get(prefix.slice(0, -1)));
  const lay = (first: number) => {
    const options = { className, named, config: told, isOrdered: ordered !== null };
    return orderSlots(state.slice(first), ordered ?? parameters, options);
  };
  // A schedule takes the place of the rate: then the second variable is a state like the others.
  const withRate = second?.shape.length === 0 ? lay(2) : [];
  const slots = withRate.length > 0 ? withRate : lay(1);
  const hasRate = second?.shape.length === 0 && (withRate.length > 0 || slots.length === 0);
  const rate = hasRate && second ? await readScalar(source, second) : null;
  const value = await readScalar(source, counter);
  const optimizer = buildKerasOptimizer({
    prefix,
    named,
    file: counter.file,
    settings: config.settings,
    iterations: { tensor: counter, value },
    learningRate: config.constrains ? null : rate,
    constrains: config.constrains,
    slots,
  });
  return { optimizers: [optimizer], step: value };
}

/** What the optimizer is called: after its class, where nobody called it otherwise. */
function nameOf(texts: Texts | undefined): string | null {
  return texts?.get('name')?.[0]?.replace(/_[0-9]+$/, '') ?? null;
}

function numberOf({ name }: TensorDraft): number {
  return Number(variablePath.exec(name)?.[3] ?? 0);
}

/** Layers of which some variables are not trained, and those of which nothing is known. */
const unknown = /^(seed_generator|spectral_normalization|random_\w+)$/;
const special =
  /^(normalization|batch_normalization|seed_generator|spectral_normalization|random_\w+)$/;

/** Places of the outermost layers in the configuration, by their groups. */
function configuredPlaces(
  groups: ReadonlyMap<string, Texts>,
  { layers }: KerasConfig,
): Map<string, number> {
  const places = new Map(layers.map((name, i) => [name, i]));
  const configured = new Map<string, number>();
  for (const [path, texts] of groups) {
    const layer = /^(layers\/[^/]+)\/vars$/.exec(path)?.[1];
    const place = places.get(texts.get('name')?.[0] ?? '');
    if (layer !== undefined && place !== undefined) configured.set(layer, place);
  }
  return configured;
}

/**
 * Layers keep what they train first and their statistics last. A program's own model puts a layer in a
 * group of its attribute's name; the layer's own name, which Keras makes of its class, is beside it.
 */
function markModel(model: readonly TensorDraft[], groups: KerasVariables['groups']): void {
  const counts = new Map<string, number>();
  for (const { name } of model) {
    const group = name.slice(0, name.lastIndexOf('/'));
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  for (const tensor of model) {
    const parts = variablePath.exec(tensor.name);
    if (!parts || !(isFloat(tensor.dtype) || isComplex(tensor.dtype))) continue;
    const group = tensor.name.slice(0, tensor.name.lastIndexOf('/'));
    const own = groups.get(group)?.get('name')?.[0] ?? '';
    // Groups of `layers` are called after the class, whatever the layer is called.
    const isByClass = /(^|\/)layers\/[^/]+\/vars\//.test(tensor.name);
    const names = [parts[2] as string, isByClass ? '' : own];
    const layer = names
      .map((name) => name.replace(/_[0-9]+$/, ''))
      .find((name) => special.test(name));
    const number = Number(parts[3]);
    const count = counts.get(group) ?? 0;
    const isStatistic =
      layer === 'normalization' ||
      (layer === 'batch_normalization' && count >= 2 && number >= count - 2);
    const isUnknown = layer !== undefined && unknown.test(layer);
    if (!isUnknown) tensor.role = isStatistic ? 'buffer' : 'parameter';
  }
}
