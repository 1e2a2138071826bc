/**
 * Which parameter each variable of a Keras 3 optimizer belongs to, where they have numbers for names.
 * They come in the order of the model's trainable variables, two or three for each.
 */
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import { matchInOrder } from '../optimizer-state/order-match.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { KerasSlot } from './keras-optimizer.ts';

/** Slots by class: runs over all parameters, one run for each parameter, runs over all of them again. */
interface SlotOrder {
  readonly before: readonly string[];
  readonly interleaved: readonly string[];
  readonly after: readonly string[];
  /** Variables behind all of them that are nobody's. */
  readonly rest: number;
}

function order(interleaved: readonly string[], after: readonly string[] = [], rest = 0): SlotOrder {
  return { before: [], interleaved, after, rest };
}

const pairs = order(['momentum', 'velocity']);

/** Groups of Keras's own layers that look nothing up. */
const denseLayer =
  /(^|\/)((\w+_)?dense(_\d+)?|\w*conv\w*|\w+_normalization(_\d+)?|(gru|lstm|simple_rnn|(for|back)ward_layer)(_\d+)?\/cell)\/vars\/\d+$/;

/** As each class makes them in `build`. Class names in lower case; null: not known. */
function orderOfClass(className: string, config: Config): SlotOrder | null {
  switch (className) {
    case 'adam':
    case 'adamw':
      return config.amsgrad === true ? order(pairs.interleaved, ['velocity_hat']) : pairs;
    case 'lamb':
      return pairs;
    case 'nadam':
      // A product of rates of decay, one for all.
      return order(pairs.interleaved, [], 1);
    case 'adamax':
      return order(['momentum', 'norm']);
    case 'adadelta':
      return order(['accumulated_grad', 'accumulated_delta_var']);
    case 'ftrl':
      return order(['accumulator', 'linear']);
    case 'rmsprop': {
      const hasMomentum = typeof config.momentum === 'number' && config.momentum > 0;
      const after = [
        ...(hasMomentum ? ['momentum'] : []),
        ...(config.centered === true ? ['average_gradient'] : []),
      ];
      return order(['velocity'], after);
    }
    case 'lion':
      return order(['momentum']);
    case 'sgd':
      return order(config.momentum === 0 ? [] : ['momentum']);
    case 'adagrad':
      return order(['accumulator']);
    default:
      return null;
  }
}

/** Averages and gathered gradients come first, whatever the class. */
function orderOf(className: string, config: Config): SlotOrder | null {
  const own = orderOfClass(className.toLowerCase(), config);
  const steps = config.gradient_accumulation_steps;
  const before = [
    ...(config.use_ema === true ? ['average'] : []),
    ...(typeof steps === 'number' && steps > 1 ? ['gradient_accumulator'] : []),
  ];
  return own && { ...own, before };
}

/** Options that add variables, as no file beside them tells. */
const added: readonly (readonly string[])[] = [
  [],
  ['average_or_gradient_accumulator'],
  ['average', 'gradient_accumulator'],
];

/** All that an optimizer of this name may keep, where nothing says its class and its options. */
function ordersOfName(named: string | null, config: Config): readonly SlotOrder[] {
  const own = (named !== null && orderOfClass(named, config)) || pairs;
  const orders = [own];
  if (named !== null && /^adam(_w)?$/.test(named)) {
    orders.push(order(own.interleaved, ['velocity_hat']));
  }
  return added.flatMap((before) => orders.map((each) => ({ ...each, before })));
}

type Config = Readonly<Record<string, HyperValue>>;

export interface SlotSettings {
  /** Null: nothing says which class it is. */
  readonly className: string | null;
  /** The optimizer's own name, mostly that of its class; believed where all shapes fit. */
  readonly named: string | null;
  /** By Keras's own names. */
  readonly config: Config;
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
  if (variables.length === 0) return [];
  const { className, named, config } = settings;
  if (className !== null) {
    const found = orderOf(className, config);
    return (found && layOver(found, { variables, parameters, settings })) ?? [];
  }
  // Without a class only a perfect fit tells one order from the others.
  const fitting = ordersOfName(named, config).flatMap((each) => {
    const laid = layOver(each, { variables, parameters, settings });
    return laid ? [laid] : [];
  });
  return fitting.length === 1 ? (fitting[0] as KerasSlot[]) : [];
}

interface ToLay {
  readonly variables: readonly TensorDraft[];
  readonly parameters: readonly TensorDraft[];
  readonly settings: SlotSettings;
}

/** Null where the order does not fit. */
function layOver(found: SlotOrder, { variables, parameters, settings }: ToLay): KerasSlot[] | null {
  const { before, interleaved, after } = found;
  const count = variables.length - found.rest;
  const trained = count / (before.length + interleaved.length + after.length);
  if (!Number.isInteger(trained) || trained < 1) return null;
  const at = (i: number) => variables[i] as TensorDraft;
  const behind = trained * (before.length + interleaved.length);
  const groups = Array.from({ length: trained }, (_, i) => [
    ...before.map((_, j) => at(trained * j + i)),
    ...interleaved.map((_, j) => at(trained * before.length + i * interleaved.length + j)),
    ...after.map((_, j) => at(behind + trained * j + i)),
  ]);
  // All states of one parameter have its shape.
  const isRegular = groups.every((group) => {
    return group.every(({ shape }) => sameShape(shape, (group[0] as TensorDraft).shape));
  });
  if (!isRegular) return null;
  const shapes = groups.map(([first]) => (first as TensorDraft).shape);
  const isPerfect = trained === parameters.length && sameShapes(shapes, parameters);
  if (settings.className === null && !isPerfect) return null;
  const owners = settings.isOrdered
    ? ownersInOrder(shapes, parameters)
    : ownersByShape(shapes, parameters);
  const names = [...before, ...interleaved, ...after];
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
