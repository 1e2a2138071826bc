/** What the variables of a TensorFlow checkpoint are for: by their keys and by what Python called them. */
import type { HyperValue, Optimizer } from '../../checkpoint/optimizer.ts';
import type { Source } from '../../sources/source.ts';
import {
  buildKerasOptimizer,
  FlatNames,
  isDenseName,
  type KerasSlot,
  parseSlotName,
} from '../keras/keras-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { readScalar } from '../scalar-value.ts';
import { roleByName } from '../tensor-role.ts';
import type { ObjectGraph } from './object-graph.ts';

const attribute = '/.ATTRIBUTES/VARIABLE_VALUE';
const slotPart = '/.OPTIMIZER_SLOT/';

const buffers = /(^|\/)(moving_(mean|variance|var)|seed_generator_state|running_\w+)(:0)?$/;

/** Where an optimizer counts its updates: Keras 3 and 2. */
const counters = /^(.*\/)(_iterations|iter)$/;

export interface BundleRoles {
  readonly optimizers: readonly Optimizer[];
  readonly step: number | null;
}

/** Marks the tensors, and reads the few scalars that an optimizer's variables are. */
export async function readBundleRoles(
  source: Source,
  tensors: readonly TensorDraft[],
  from: { readonly graph: ObjectGraph | null; readonly file: string },
): Promise<BundleRoles> {
  const byKey = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const tensor of tensors) markModel(tensor, from.graph);
  const optimizers: Optimizer[] = [];
  const counts = new Set<number>();
  const slots = new SlotFinder(byKey, from.graph);
  const prefixes = tensors.flatMap(({ name }) => counters.exec(pathOf(name))?.[1] ?? []);
  for (const prefix of prefixes) {
    const variable = (name: string) => byKey.get(`${prefix}${name}${attribute}`) ?? null;
    const value = async (name: string) => {
      const tensor = variable(name);
      return tensor && readScalar(source, tensor);
    };
    const counter = variable('_iterations') ?? variable('iter');
    const iterations = counter && (await readScalar(source, counter));
    if (iterations !== null) counts.add(iterations);
    const config: Record<string, HyperValue> = Object.create(null);
    // Keras 2 kept its hyper-parameters as variables.
    for (const name of ['beta_1', 'beta_2', 'rho']) {
      const stored = await value(name);
      if (stored !== null) config[name] = stored;
    }
    const optimizer = buildKerasOptimizer({
      prefix,
      file: from.file,
      settings: { className: null, config },
      iterations: counter && { tensor: counter, value: iterations },
      learningRate: (await value('_learning_rate')) ?? (await value('learning_rate')),
      slots: slots.of(prefix, prefixes.length === 1),
    });
    optimizers.push(optimizer);
  }
  if (!from.graph) optimizers.push(...graphOptimizer(byKey, from.file));
  for (const { parameters } of optimizers) {
    for (const { parameter } of parameters) {
      const owner = parameter === null ? undefined : byKey.get(parameter);
      if (owner?.role === 'other') owner.role = 'parameter';
    }
  }
  return { optimizers, step: await stepOf(source, byKey, { optimizers, counts }) };
}

/**
 * Slots that a graph's saver wrote without an object graph: called after the variable and the optimizer,
 * of which Adam makes two. Whether `global_step` counts its updates nothing says.
 */
function graphOptimizer(byKey: ReadonlyMap<string, TensorDraft>, file: string): Optimizer[] {
  const slots: KerasSlot[] = [];
  for (const [key, tensor] of byKey) {
    const owner = /\/Adam$/.test(key) ? byKey.get(key.slice(0, -'/Adam'.length)) : undefined;
    const second = byKey.get(`${key}_1`);
    if (!owner || !second) continue;
    const common = { owner, mapping: 'fqn', isDense: isDenseName(owner.name) } as const;
    slots.push({ tensor, slot: 'm', ...common }, { tensor: second, slot: 'v', ...common });
  }
  if (slots.length === 0) return [];
  const settings = { className: null, config: Object.create(null) };
  const nothing = { iterations: null, learningRate: null };
  return [buildKerasOptimizer({ prefix: '', file, settings, ...nothing, slots })];
}

/** The key without what every variable's key ends in. */
function pathOf(key: string): string {
  return key.endsWith(attribute) ? key.slice(0, -attribute.length) : key;
}

function markModel(tensor: TensorDraft, graph: ObjectGraph | null): void {
  const path = pathOf(tensor.name);
  const name = graph?.names.get(tensor.name) ?? path;
  if (buffers.test(path) || buffers.test(name)) tensor.role = 'buffer';
  else if (/(^|\/)_trainable_variables\/[0-9]+$/.test(path)) tensor.role = 'parameter';
  else if (!/(^|\/)_variables\/[0-9]+$/.test(path) && !path.includes(slotPart)) {
    tensor.role = roleByName(path, tensor.dtype);
  }
}

/** Finds the variables that an optimizer keeps, and whose they are. */
class SlotFinder {
  readonly #byKey: ReadonlyMap<string, TensorDraft>;
  readonly #graph: ObjectGraph | null;
  readonly #owners = new FlatNames();

  constructor(byKey: ReadonlyMap<string, TensorDraft>, graph: ObjectGraph | null) {
    this.#byKey = byKey;
    this.#graph = graph;
    for (const [key, name] of graph?.names ?? []) {
      const tensor = byKey.get(key);
      const isState = /(^|\/)_variables\/[0-9]+$/.test(pathOf(key)) || key.includes(slotPart);
      if (tensor && !isState) this.#owners.add(name, tensor);
    }
  }

  /** `isOnly`: slots of Keras 2 name an optimizer by its attribute, which need not be its path. */
  of(prefix: string, isOnly: boolean): KerasSlot[] {
    const found: KerasSlot[] = [];
    for (const [key, tensor] of this.#byKey) {
      const path = pathOf(key);
      const at = path.indexOf(slotPart);
      if (at >= 0) {
        const [optimizer = '', slot = ''] = path.slice(at + slotPart.length).split('/');
        if (!isOnly && `${optimizer}/` !== prefix) continue;
        const owner = this.#byKey.get(path.slice(0, at) + attribute) ?? null;
        found.push({ tensor, slot, owner, mapping: 'fqn', isDense: this.#isDense(owner) });
      } else if (path.startsWith(`${prefix}_variables/`)) {
        const slot = this.#named(key, tensor);
        if (slot) found.push(slot);
      }
    }
    return found;
  }

  /** Keras 3 numbers them; only the object graph says what they are. */
  #named(key: string, tensor: TensorDraft): KerasSlot | null {
    const name = this.#graph?.names.get(key);
    const parsed = name === undefined ? null : parseSlotName(name.slice(name.indexOf('/') + 1));
    if (!parsed) return null;
    const owner = this.#owners.find(parsed.owner);
    return { tensor, slot: parsed.slot, owner, mapping: 'fqn', isDense: this.#isDense(owner) };
  }

  #isDense(owner: TensorDraft | null): boolean {
    if (!owner) return false;
    return isDenseName(this.#graph?.names.get(owner.name) ?? pathOf(owner.name));
  }
}

/** The optimizer's counter, else one that the program kept. */
async function stepOf(
  source: Source,
  byKey: ReadonlyMap<string, TensorDraft>,
  from: { readonly optimizers: readonly Optimizer[]; readonly counts: ReadonlySet<number> },
): Promise<number | null> {
  const steps = from.optimizers.flatMap(({ parameters }) => parameters[0]?.step ?? []);
  if (steps.length > 0) return new Set(steps).size === 1 ? (steps[0] as number) : null;
  // Where gradients are gathered, a counter counts the trainer's steps and not its updates.
  const [count, another] = from.counts;
  if (count !== undefined && another === undefined) return count;
  for (const name of [`global_step${attribute}`, `step${attribute}`, 'global_step']) {
    const tensor = byKey.get(name);
    if (!tensor) continue;
    tensor.role = 'step';
    return readScalar(source, tensor);
  }
  return null;
}
