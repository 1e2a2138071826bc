/**
 * Laika's own layout: one safetensors file with everything of one step. Tensors are called
 * `SLOT/NAME`; `__metadata__` holds `laika.snapshot`, `step`, `optimizer` (class), `groups`
 * (JSON list of hyper-parameters), `parameter_groups` (JSON, name to group) and, where two names
 * are one tensor in the model, `tied` (JSON, name to the name it repeats).
 */
import type {
  Optimizer,
  OptimizerGroup,
  OptimizerKind,
  ParameterState,
} from '../checkpoint/optimizer.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Source } from '../sources/source.ts';
import { findFrozen } from './optimizer-state/frozen.ts';
import { hyperParameterProblems } from './optimizer-state/hyper-parameters.ts';
import type { RawOptimizer } from './optimizer-state/raw-optimizer.ts';
import { plainRecord } from './plain-value.ts';
import type { SafetensorsFile } from './safetensors-file.ts';
import { readScalar } from './scalar-value.ts';
import { stateKeyOf, withSlotRole } from './snapshot-slots.ts';
import { isJsonObject, type JsonObject, type JsonValue, readStrictJson } from './strict-json.ts';

export interface Snapshot {
  readonly step: number | null;
  readonly tensors: readonly Tensor[];
  readonly optimizers: readonly Optimizer[];
  readonly frozen: readonly string[];
  readonly tied: readonly (readonly [string, string])[];
  readonly problems: readonly Problem[];
}

/** Groups, their hyper-parameters and lists are this deep at most. */
const metadataDepth = 16;

/** The file says that it is a snapshot. */
export function isSnapshot(file: SafetensorsFile): boolean {
  return file.metadata.has('laika.snapshot');
}

/** The step in the metadata, a whole number from 0 up; null where there is none. */
export function snapshotStep(file: SafetensorsFile): number | null {
  const text = file.metadata.get('step') ?? '';
  const step = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(step) ? step : null;
}

/**
 * What a snapshot says beyond its tensors. Reads the step counters, nothing else.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readSnapshot(source: Source, file: SafetensorsFile): Promise<Snapshot> {
  const names = new Set(file.tensors.map((tensor) => tensor.name));
  const tensors = file.tensors.map((tensor) => withSlotRole(tensor, names));
  const metadata = new MetadataReader(file);
  const groups = metadata.list('groups');
  const membership = metadata.object('parameter_groups');
  const states = await readStates(source, { tensors, names, membership, groups: groups.length });
  const optimizer = optimizerOf(file, { groups, states });
  const raw = optimizer ? [rawOf(optimizer)] : [];
  return {
    step: snapshotStep(file),
    tensors,
    optimizers: optimizer ? [optimizer] : [],
    frozen: raw.flatMap((one) => frozenOf(tensors, one)),
    tied: tiedOf(metadata.object('tied'), names),
    problems: [...metadata.problems, ...raw.flatMap(hyperParameterProblems)],
  };
}

class MetadataReader {
  readonly #file: SafetensorsFile;
  readonly problems: Problem[] = [];

  constructor(file: SafetensorsFile) {
    this.#file = file;
  }

  object(key: string): JsonObject {
    const value = this.#json(key);
    if (value === undefined) return new Map();
    if (isJsonObject(value)) return value;
    this.#fault(key, 'is no JSON object');
    return new Map();
  }

  list(key: string): readonly JsonObject[] {
    const value = this.#json(key);
    if (value === undefined) return [];
    const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
    if (Array.isArray(value) && items.every(isJsonObject)) return items.filter(isJsonObject);
    this.#fault(key, 'is no JSON list of objects');
    return [];
  }

  #json(key: string): JsonValue | undefined {
    const text = this.#file.metadata.get(key);
    if (text === undefined) return undefined;
    const where = `${this.#file.file.name}: ${key}`;
    const options = { where, maxDepth: metadataDepth, allowNonFinite: true };
    const json = readStrictJson(Buffer.from(text), options);
    if (json.ok) return json.value;
    this.#fault(key, `is no JSON: ${json.message}`);
    return undefined;
  }

  #fault(key: string, what: string): void {
    const { name: file } = this.#file.file;
    const message = `the snapshot's metadata ${JSON.stringify(key)} ${what}`;
    this.problems.push({ rule: 'header-invalid', kind: 'damage', file, message });
  }
}

interface Sources {
  readonly tensors: readonly Tensor[];
  readonly names: ReadonlySet<string>;
  readonly membership: JsonObject;
  readonly groups: number;
}

/** One state for every name that has a group or a slot: grouped names first, in stored order. */
async function readStates(source: Source, from: Sources): Promise<ParameterState[]> {
  const slots = new Map<string, Map<string, Tensor>>();
  for (const name of from.membership.keys()) slots.set(name, new Map());
  for (const tensor of from.tensors) {
    const found = stateKeyOf(tensor.name);
    // State of the program, such as random generators, belongs to no parameter.
    if (!found || !(slots.has(found.name) || from.names.has(`parameter/${found.name}`))) continue;
    const own = slots.get(found.name) ?? new Map<string, Tensor>();
    slots.set(found.name, own.set(found.slot, tensor));
  }
  const states: ParameterState[] = [];
  for (const [name, own] of slots) states.push(await readState(source, { name, own, from }));
  return states;
}

async function readState(
  source: Source,
  of: { name: string; own: ReadonlyMap<string, Tensor>; from: Sources },
): Promise<ParameterState> {
  const { name, own, from } = of;
  const group = from.membership.get(name);
  const isGroup = typeof group === 'number' && group >= 0 && group < from.groups;
  const counter = own.get('step');
  const step = counter ? await readScalar(source, counter) : null;
  const parameter = from.names.has(`parameter/${name}`) ? `parameter/${name}` : null;
  const tensors: Record<string, string> = Object.create(null);
  for (const [slot, tensor] of own) tensors[slot] = tensor.name;
  return {
    key: parameter ?? name,
    path: name,
    parameter,
    group: isGroup && Number.isInteger(group) ? group : null,
    step,
    stepScope: step === null ? null : 'own',
    stepDtype: counter?.dtype ?? null,
    tensors,
    shape: commonShape([...own].flatMap(([slot, tensor]) => (slot === 'step' ? [] : [tensor]))),
    master: from.names.has(`master/${name}`) ? `master/${name}` : null,
  };
}

function commonShape(tensors: readonly Tensor[]): readonly number[] | null {
  const [first, ...rest] = tensors;
  if (!first) return null;
  const same = rest.every((tensor) => String(tensor.shape) === String(first.shape));
  return same ? first.shape : null;
}

/** Null: the file speaks of no optimizer at all. */
function optimizerOf(
  file: SafetensorsFile,
  from: { groups: readonly JsonObject[]; states: readonly ParameterState[] },
): Optimizer | null {
  const name = file.metadata.get('optimizer') ?? null;
  if (name === null && from.groups.length === 0 && from.states.length === 0) return null;
  const keys = from.groups.map((): string[] => []);
  for (const { group, key } of from.states) if (group !== null) keys[group]?.push(key);
  const groups: OptimizerGroup[] = from.groups.map((group, i) => ({
    hyper: plainRecord(group),
    keys: keys[i] ?? [],
  }));
  return {
    kind: name === null ? null : kindOf(name, groups),
    kindFrom: name === null ? null : `class name ${JSON.stringify(name)} in the metadata`,
    prefix: '',
    file: file.file.name,
    groups,
    parameters: from.states,
  };
}

/** `amsgrad` stands for AdamW with that option: Adam's is the same only where its decay is told apart. */
function kindOf(className: string, groups: readonly OptimizerGroup[]): OptimizerKind {
  const name = className.toLowerCase();
  if (name !== 'adam' && name !== 'adamw') return name;
  const some = (key: string) => groups.some(({ hyper }) => hyper[key] === true);
  const decoupled = name === 'adamw' || some('decoupled_weight_decay');
  if (!some('amsgrad')) return decoupled ? 'adamw' : 'adam';
  const decays = groups.some(({ hyper }) => hyper.weight_decay !== 0);
  return decoupled || !decays ? 'amsgrad' : 'adam-amsgrad';
}

/** The optimizer in the form in which every layout's is judged. */
function rawOf({ prefix, file, groups }: Optimizer): RawOptimizer {
  const plain = groups.map(({ hyper, keys }) => ({
    hyper: new Map(Object.entries(hyper)),
    stepDtype: null,
    ids: keys,
    names: null,
  }));
  return { prefix, file, states: new Map(), groups: plain, masters: null };
}

/** Parameters without a group that nothing else could move either. */
function frozenOf(tensors: readonly Tensor[], optimizer: RawOptimizer): string[] {
  const weights = tensors.filter(({ role }) => role === 'parameter');
  const drafts = new Map(weights.map((tensor) => [tensor.name, { ...tensor }]));
  const owners = new Map([...drafts].map(([name, tensor]) => [name, { tensor, mapping: fqn }]));
  const model = { prefix: '', tensors: drafts, order: 'sorted' } as const;
  return findFrozen([model], [{ optimizer, owners }]);
}

const fqn = 'fqn' as const;

function tiedOf(declared: JsonObject, names: ReadonlySet<string>): [string, string][] {
  const tied: [string, string][] = [];
  for (const [name, kept] of declared) {
    if (typeof kept !== 'string') continue;
    const pair: [string, string] = [`parameter/${name}`, `parameter/${kept}`];
    if (name !== kept && pair.every((one) => names.has(one))) tied.push(pair);
  }
  return tied;
}
