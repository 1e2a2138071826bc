/**
 * An optimizer of Keras from the variables that it keeps. Its files name the class in the model's
 * configuration, or nowhere; the slots' own names say what a variable is for.
 */
import type { HyperValue, Optimizer, ParameterState } from '../../checkpoint/optimizer.ts';
import type { Mapping, Role } from '../../checkpoint/tensor.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** What an optimizer was told, where a file says it. */
export interface KerasSettings {
  /** Of its class: `Adam`; null where nothing says. */
  readonly className: string | null;
  /** By Keras's own names: `beta_1`, `learning_rate`. */
  readonly config: Readonly<Record<string, HyperValue>>;
}

export interface KerasSlot {
  readonly tensor: TensorDraft;
  /** As Keras calls it: `momentum`, `velocity`. */
  readonly slot: string;
  /** Whose it is; null where nothing tells. */
  readonly owner: TensorDraft | null;
  readonly mapping: Mapping;
  /** Its owner is sure to be multiplied or added, never looked up: its gradient has no parts. */
  readonly isDense: boolean;
}

/** Variables of Keras's own layers that are no tables, by the ends of their paths. */
const denseNames =
  /(^|\/)(kernel|bias|gamma|beta|recurrent_kernel|depthwise_kernel|pointwise_kernel)(:0)?$/;

export function isDenseName(path: string): boolean {
  return denseNames.test(path);
}

export interface KerasOptimizer {
  readonly prefix: string;
  readonly file: string;
  readonly settings: KerasSettings;
  /** The optimizer's own name, where the file has it: what its slots mean, not which class it is. */
  readonly named?: string | null;
  /** The counter of updates, and its value. */
  readonly iterations: { readonly tensor: TensorDraft; readonly value: number | null } | null;
  /** As stored; null where it is no variable: a schedule computes it. */
  readonly learningRate: number | null;
  /** Constraints move weights after an update. */
  readonly constrains?: boolean;
  readonly slots: readonly KerasSlot[];
}

interface Meaning {
  readonly key: string;
  readonly role: Role;
}

/** Slots that mean the same in every class that has them, by name; older versions write one letter. */
const meanings: ReadonlyMap<string, Meaning> = new Map([
  ['velocity', { key: 'exp_avg_sq', role: 'second-moment' }],
  ['v', { key: 'exp_avg_sq', role: 'second-moment' }],
  ['velocity_hat', { key: 'max_exp_avg_sq', role: 'max-second-moment' }],
  ['vhat', { key: 'max_exp_avg_sq', role: 'max-second-moment' }],
  ['rms', { key: 'square_avg', role: 'second-moment' }],
  ['accumulator', { key: 'sum', role: 'second-moment' }],
  ['m', { key: 'exp_avg', role: 'first-moment' }],
  ['average', { key: 'average', role: 'average' }],
]);

/** Not under the name that torch has for it: Keras multiplies it with the rate. */
const momentum: Meaning = { key: 'momentum', role: 'momentum' };
const firstMoment: Meaning = { key: 'exp_avg', role: 'first-moment' };

/** Classes whose slots of the common names hold something else. */
const otherMeaning = /^(ftrl|adadelta|adafactor|adamax|muon|loss_?scale)/i;

/** `momentum` beside a `velocity` is Adam's first moment, alone it is that of SGD; RMSprop has both. */
function meaningOf(slot: string, slots: ReadonlySet<string>, family: string): Meaning | null {
  if (otherMeaning.test(family)) return null;
  const isRms = /^rmsprop/i.test(family) || slots.has('average_gradient');
  if (slot === 'velocity' && isRms) return { key: 'square_avg', role: 'second-moment' };
  if (slot !== 'momentum') return meanings.get(slot) ?? null;
  if (/^lion/i.test(family)) return firstMoment;
  return slots.has('velocity') && !isRms ? firstMoment : momentum;
}

/** Classes whose updates are those that the laws of the name know. */
const known: ReadonlySet<string> = new Set(['adam', 'adamw', 'adagrad', 'lion']);

/**
 * Null: no class is named. Keras decays weights apart from the gradient in every class. A class that
 * does something else than others of its name (SGD's buffer holds the rate) has a name of its own.
 */
function kindOf({ className, config }: KerasSettings): string | null {
  if (className === null) return null;
  const name = className.toLowerCase();
  const decays = typeof config.weight_decay === 'number' && config.weight_decay !== 0;
  const isAdam = name === 'adamw' || name === 'adam';
  const isPlain = isAdam || (config.use_ema !== true && !decays);
  const plainRms = name === 'rmsprop' && config.centered === false && config.momentum === 0;
  if (!isPlain || !(known.has(name) || plainRms)) return `keras-${name}`;
  if (!isAdam) return name;
  if (config.amsgrad === true) return 'amsgrad';
  return decays ? 'adamw' : 'adam';
}

function hyperOf({
  settings,
  learningRate,
  constrains,
  slots,
}: KerasOptimizer): Record<string, HyperValue> {
  const { config, className } = settings;
  const hyper: Record<string, HyperValue> = Object.create(null);
  for (const [key, value] of Object.entries(config)) hyper[key] = value;
  // Keras adds its epsilon before the bias is corrected: in the laws' terms it is larger than this, and
  // a bound with a smaller ε only allows more. Replays need it exactly, and never run on shared counters.
  if (typeof config.epsilon === 'number') hyper.eps = config.epsilon;
  if (typeof config.beta_1 === 'number' && typeof config.beta_2 === 'number') {
    hyper.betas = [config.beta_1, config.beta_2];
  }
  if (className !== null && /^adamw?$/i.test(className)) {
    hyper.weight_decay = typeof config.weight_decay === 'number' ? config.weight_decay : 0;
  }
  if (typeof config.rho === 'number') hyper.alpha = config.rho;
  if (learningRate !== null) hyper.lr = learningRate;
  // Every so often, and at the end of a fit, averages take the weights' place.
  const isAveraged = config.use_ema === true || slots.some(({ slot }) => slot === 'average');
  if (isAveraged || constrains === true) hyper.moved_weights = true;
  return hyper;
}

/** Updates that were applied; gradients that were gathered first count as well. */
function stepOf({ iterations, settings, slots }: KerasOptimizer): number | null {
  const gathered = settings.config.gradient_accumulation_steps;
  const value = iterations?.value ?? null;
  if (typeof gathered === 'number' && gathered > 1 && value !== null) {
    return Math.floor(value / gathered);
  }
  const gathers = slots.some(({ slot }) => /accumulat.*grad|gradient_accumulator/.test(slot));
  return gathers ? null : value;
}

/** Marks the variables with role and owner, and says what the optimizer holds. */
export function buildKerasOptimizer(raw: KerasOptimizer): Optimizer {
  const { prefix, file, settings, iterations, slots } = raw;
  const family = settings.className ?? raw.named ?? prefix.split('/').at(-2) ?? '';
  if (iterations) iterations.tensor.role = 'step';
  const names = new Set(slots.map(({ slot }) => slot));
  const step = stepOf(raw);
  const states = new Map<
    TensorDraft | string,
    ParameterState & { tensors: Record<string, string> }
  >();
  for (const { tensor, slot, owner, mapping, isDense } of slots) {
    const meaning = meaningOf(slot, names, family);
    if (meaning) tensor.role = meaning.role;
    const fits = owner !== null && sameShape(owner.shape, tensor.shape);
    tensor.parameter = fits ? owner.name : null;
    tensor.mapping = fits ? mapping : null;
    const key = fits ? owner.name : tensor.name;
    const state = states.get(key) ?? {
      key,
      path: fits ? `${prefix}${owner.name}` : tensor.name,
      parameter: fits ? owner.name : null,
      group: fits && isDense ? 0 : 1,
      step,
      stepScope: step === null ? null : 'shared',
      stepDtype: iterations?.tensor.dtype ?? null,
      tensors: Object.create(null),
      shape: tensor.shape,
      master: null,
    };
    state.tensors[meaning?.key ?? slot] = tensor.name;
    states.set(key, state);
  }
  const parameters = [...states.values()];
  const kind = kindOf(settings);
  const hyper = hyperOf(raw);
  const keysOf = (group: number) => parameters.filter((each) => each.group === group);
  const keys = [0, 1].map((group) => keysOf(group).map(({ key }) => key));
  return {
    kind,
    kindFrom: kind === null ? null : `class ${settings.className} in the model’s configuration`,
    prefix,
    file,
    groups: [
      { hyper, keys: keys[0] ?? [] },
      // One group in Keras: told apart here for what the laws may say of them.
      ...(keys[1]?.length ? [{ hyper: { ...hyper, sparse_gradients: true }, keys: keys[1] }] : []),
    ],
    parameters,
  };
}

/**
 * The variable whose path, with slashes as underscores, is `flat`: what Keras names slots after.
 * Null where none or several are.
 */
export class FlatNames {
  readonly #byName = new Map<string, TensorDraft | null>();

  /** `path`: of the variable as Keras names it. */
  add(path: string, tensor: TensorDraft): void {
    for (const name of new Set([path, path.replaceAll('/', '_')])) {
      this.#byName.set(name, this.#byName.has(name) ? null : tensor);
    }
  }

  find(name: string): TensorDraft | null {
    return this.#byName.get(name) ?? null;
  }
}

/** Names that slots end in, longest first: `velocity_hat` before `hat`. */
const slotEndings = [
  'gradient_accumulator',
  'accumulated_delta_var',
  'accumulated_grad',
  'average_gradient',
  'velocity_hat',
  'accumulator',
  'velocity',
  'momentum',
  'average',
  'linear',
  'norm',
];

export interface SlotName {
  readonly owner: string;
  readonly slot: string;
}

/** `sequential_hidden_kernel_velocity`; of older versions `m/dense/kernel` or `dense/kernel/m`. */
export function parseSlotName(name: string): SlotName | null {
  const older = /^(m|v|vhat|rms|momentum|accumulator)\/(.+)$/.exec(name);
  if (older) return { slot: older[1] as string, owner: older[2] as string };
  const oldest = /^(.+)\/(m|v|vhat|rms|momentum|accumulator)$/.exec(name);
  if (oldest) return { slot: oldest[2] as string, owner: oldest[1] as string };
  const slot = slotEndings.find((ending) => name.endsWith(`_${ending}`));
  return slot === undefined ? null : { slot, owner: name.slice(0, -slot.length - 1) };
}
