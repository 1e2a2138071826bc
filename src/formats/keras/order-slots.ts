/**
 * Which parameter each variable of a Keras 3 optimizer belongs to, where they have numbers for names.
 * They come in the order of the model's trainable variables, two or three for each.
 */
import { matchInOrder } from '../optimizer-state/order-match.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { KerasSlot } from './keras-optimizer.ts';

/** Slots by class: one run for each parameter, then runs over all of them. */
interface SlotOrder {
  readonly interleaved: readonly string[];
  readonly after: readonly string[];
}

const pairs: SlotOrder = { interleaved: ['momentum', 'velocity'], after: [] };

/** Groups of Keras's own layers that look nothing up. */
const denseLayer =
  /(^|\/)((\w+_)?dense(_\d+)?|\w*conv\w*|\w+_normalization(_\d+)?|(gru|lstm|simple_rnn|(for|back)ward_layer)(_\d+)?\/cell)\/vars\/\d+$/;

/** Class names in lower case; null: nothing says which class it is. */
function orderOf(className: string | null, amsgrad: boolean): SlotOrder | null {
  switch (className?.toLowerCase() ?? null) {
    case null:
      return pairs;
    case 'adam':
    case 'adamw':
      return amsgrad ? { ...pairs, after: ['velocity_hat'] } : pairs;
    case 'lamb':
      return pairs;
    case 'lion':
    case 'sgd':
      return { interleaved: ['momentum'], after: [] };
    case 'adagrad':
      return { interleaved: ['accumulator'], after: [] };
    default:
      return null;
  }
}

export interface SlotSettings {
  /** Null: nothing says which class it is. */
  readonly className: string | null;
  readonly amsgrad: boolean;
  /** The parameters are in the model's order; else only a shape that one of them has tells. */
  readonly isOrdered: boolean;
}

/**
 * Lays the variables over the parameters. Empty where nothing fits; an owner is null where several
 * could be meant.
 */
export function orderSlots(
  variables: readonly TensorDraft[],
  parameters: readonly TensorDraft[],
  settings: SlotSettings,
): KerasSlot[] {
  const order = orderOf(settings.className, settings.amsgrad);
  if (!order || variables.length === 0) return [];
  const each = order.interleaved.length;
  const trained = variables.length / (each + order.after.length);
  if (!Number.isInteger(trained)) return [];
  const groups = Array.from({ length: trained }, (_, i) => [
    ...variables.slice(i * each, (i + 1) * each),
    ...order.after.map((_, j) => variables[trained * (each + j) + i] as TensorDraft),
  ]);
  // All states of one parameter have its shape.
  const isRegular = groups.every((group) => {
    return group.every(({ shape }) => sameShape(shape, (group[0] as TensorDraft).shape));
  });
  if (!isRegular) return [];
  const shapes = groups.map(([first]) => (first as TensorDraft).shape);
  const owners = settings.isOrdered
    ? ownersInOrder(shapes, parameters)
    : ownersByShape(shapes, parameters);
  // Without a class only a perfect fit tells pairs from runs of single states.
  const isPerfect = trained === parameters.length && sameShapes(shapes, parameters);
  if (settings.className === null && !isPerfect) return [];
  const names = [...order.interleaved, ...order.after];
  return groups.flatMap((group, i) => {
    const owner = owners[i] ?? null;
    const isDense = owner !== null && denseLayer.test(owner.name);
    return group.map((tensor, j) => {
      return { tensor, slot: names[j] as string, owner, mapping: 'order' as const, isDense };
    });
  });
}

type Shape = readonly number[];

function sameShapes(shapes: readonly Shape[], parameters: readonly TensorDraft[]): boolean {
  const sorted = (all: readonly Shape[]) =>
    all
      .map((shape) => shape.join())
      .sort()
      .join(';');
  return sorted(shapes) === sorted(parameters.map(({ shape }) => shape));
}

function ownersInOrder(
  shapes: readonly Shape[],
  parameters: readonly TensorDraft[],
): (TensorDraft | null)[] {
  const match = matchInOrder(
    shapes,
    parameters.map(({ shape }) => shape),
  );
  return shapes.map((_, i) => {
    const place = match?.found[i] ?? null;
    return place === null ? null : (parameters[place] ?? null);
  });
}

/** Shapes that one state and one parameter have. */
function ownersByShape(
  shapes: readonly Shape[],
  parameters: readonly TensorDraft[],
): (TensorDraft | null)[] {
  const counts = new Map<string, number>();
  for (const shape of shapes) counts.set(shape.join(), (counts.get(shape.join()) ?? 0) + 1);
  const byShape = new Map<string, TensorDraft | null>();
  for (const tensor of parameters) {
    const key = tensor.shape.join();
    byShape.set(key, byShape.has(key) ? null : tensor);
  }
  return shapes.map((shape) => {
    return counts.get(shape.join()) === 1 ? (byShape.get(shape.join()) ?? null) : null;
  });
}
