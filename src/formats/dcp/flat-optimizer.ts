/**
 * Optimizer states that were flattened to `state.NAME.KEY` and `param_groups.NAME.KEY`, with a copy
 * of the hyper-parameters for every parameter, as TorchTitan saves them: back to groups.
 */
import { roleOfState } from '../optimizer-state/state-roles.ts';
import { emptyDict, isDict, isSequence, isTagged, type PickleValue } from '../pickle/values.ts';

type Path = readonly (string | number)[];

interface FlatKey {
  /** Above `state`, where the names have no paths: `optimizer`, or empty. */
  readonly prefix: string;
  readonly part: 'state' | 'param_groups';
  readonly parameter: string;
  readonly key: string;
}

const flatPattern = /^(?:(.*?)\.)?(state|param_groups)\.(.+)\.([^.]+)$/;

function flatKeyOf(path: Path): FlatKey | null {
  const match = flatPattern.exec(String(path.at(-1)));
  if (!match) return null;
  const [, prefix = '', part, parameter = '', key = ''] = match;
  return { prefix, part: part as FlatKey['part'], parameter, key };
}

function containerOf(path: Path, { prefix }: FlatKey): string {
  return JSON.stringify([...path.slice(0, -1), prefix]);
}

/**
 * Tells paths into flattened optimizer states from others. A module may be called `state` too: what
 * optimizers keep must be there.
 */
export function isFlatState(paths: readonly Path[]): (path: Path) => boolean {
  const containers = new Set<string>();
  for (const path of paths) {
    const flat = flatKeyOf(path);
    if (!flat) continue;
    const { part, key } = flat;
    if (part === 'param_groups' || roleOfState(key) !== 'other') {
      containers.add(containerOf(path, flat));
    }
  }
  return (path) => {
    const flat = flatKeyOf(path);
    return flat !== null && containers.has(containerOf(path, flat));
  };
}

/**
 * Names of the parameters whose states were flattened into the root itself: a model that was merged
 * into the same dictionary has its tensors under these very names.
 */
export function flatAtRoot(paths: readonly Path[]): ReadonlySet<string> {
  const flat = isFlatState(paths);
  const names = new Set<string>();
  for (const path of paths) {
    const key = path.length === 1 && flat(path) ? flatKeyOf(path) : null;
    if (key?.prefix === '') names.add(key.parameter);
  }
  return names;
}

/** `['optimizer', 'state.a.weight.step']` → `['optimizer', 'state', 'a.weight', 'step']`. */
export function unflattenedPath(path: Path): Path {
  const flat = flatKeyOf(path);
  if (!flat) return path;
  const { prefix, part, parameter, key } = flat;
  const above = prefix === '' ? path.slice(0, -1) : [...path.slice(0, -1), prefix];
  const isIndex = part === 'param_groups' && /^[0-9]{1,7}$/.test(parameter);
  return [...above, part, isIndex ? Number(parameter) : parameter, key];
}

/** Equal texts for equal values; null where that is not known. */
function textOf(value: PickleValue, depth = 0): string | null {
  if (!isTagged(value)) {
    return value instanceof Uint8Array ? null : `${typeof value}:${String(value)}`;
  }
  if (!isSequence(value) || value.items.length > 16 || depth > 2) return null;
  const items = value.items.map((item) => textOf(item, depth + 1));
  return items.includes(null) ? null : `[${items.join(' ')}]`;
}

/** Parameters with equal hyper-parameters are one group; undefined where it is no such table. */
export function groupsOf(table: PickleValue | undefined): PickleValue | undefined {
  const entries = isDict(table) ? [...table.entries] : [];
  if (entries.length === 0) return undefined;
  const groups = new Map<string, { hyper: PickleValue; params: PickleValue[] }>();
  for (const [parameter, hyper] of entries) {
    if (typeof parameter !== 'string' || !isDict(hyper)) return undefined;
    const texts = [...hyper.entries].map(([key, value]) => {
      return key === 'params' ? '' : `${String(key)}=${textOf(value)}`;
    });
    const isKnown = [...hyper.entries.values()].every((value) => textOf(value) !== null);
    const signature = isKnown ? texts.sort().join(' ') : `only ${parameter}`;
    const group = groups.get(signature);
    if (group) group.params.push(parameter);
    else groups.set(signature, { hyper, params: [parameter] });
  }
  const items = [...groups.values()].map(({ hyper, params }) => {
    const dict = emptyDict();
    for (const [key, value] of isDict(hyper) ? hyper.entries : []) dict.entries.set(key, value);
    dict.entries.set('params', { kind: 'list', items: params });
    return dict;
  });
  return { kind: 'list', items };
}
