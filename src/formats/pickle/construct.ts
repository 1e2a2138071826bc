/**
 * What REDUCE, NEWOBJ and their kin make of names that only build data; anything else stays an
 * object.
 */
import { Buffer } from 'node:buffer';
import type { CallLedger } from './call-ledger.ts';
import { PickleFault } from './fault.ts';
import { maxNameBytes } from './limits.ts';
import { presentModule } from './policy.ts';
import {
  emptyDict,
  isDict,
  isGlobal,
  isObject,
  isSequence,
  isTagged,
  type PickleGlobal,
  type PickleObject,
  type PickleValue,
} from './values.ts';

/** torch's storages in pickles that torch did not write: a stream of torch.save in a bytes object. */
export const loadFromBytes = 'torch.storage._load_from_bytes';

/** What constructing needs of the machine. */
export interface Constructor {
  readonly ledger: CallLedger;
  /** Offset of the present opcode. */
  readonly offset: number;
  /** Accounts for values that are copied. `limit-exceeded` past the limit. */
  spend(values: number): void;
  /** A stream inside the pickle, which loading it would load. */
  nest(stream: Uint8Array): void;
}

type Builder = (args: readonly PickleValue[], machine: Constructor) => PickleValue | undefined;

function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | null {
  if (value === undefined) return [];
  if (isSequence(value)) return value.items;
  return isTagged(value) && value.kind === 'set' ? value.items : null;
}

const buildList: Builder = (args, machine) => {
  const items = itemsOf(args[0]);
  if (!items) return undefined;
  machine.spend(items.length);
  return { kind: 'list', items: [...items] };
};

const buildSet: Builder = (args, machine) => {
  const items = itemsOf(args[0]);
  if (!items) return undefined;
  machine.spend(items.length);
  return { kind: 'set', items: [...items] };
};

const buildTuple: Builder = (args) => {
  const items = itemsOf(args[0]);
  return items ? { kind: 'tuple', items } : undefined;
};

/** From nothing, from another dictionary, or from a list of pairs. */
const buildDict: Builder = (args, machine) => {
  const dict = emptyDict();
  const [from] = args;
  if (from === undefined) return dict;
  if (isDict(from)) {
    machine.spend(from.entries.size);
    for (const [key, value] of from.entries) dict.entries.set(key, value);
    return dict;
  }
  const pairs = itemsOf(from);
  if (!pairs) return undefined;
  machine.spend(2 * pairs.length);
  for (const pair of pairs) {
    const items = itemsOf(pair);
    if (items?.length !== 2) return undefined;
    dict.entries.set(items[0] as PickleValue, items[1] as PickleValue);
  }
  return dict;
};

const buildDefaultDict: Builder = ([, from], machine) => {
  return buildDict(from === undefined ? [] : [from], machine);
};

function bytesOf(text: string, machine: Constructor): Uint8Array {
  machine.spend(text.length / 8);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

const buildBytes: Builder = ([from], machine) => {
  if (from === undefined) return new Uint8Array(0);
  if (from instanceof Uint8Array) return from;
  return typeof from === 'string' ? bytesOf(from, machine) : undefined;
};

/** `int(5)`, `str('x')`: a number or a text stays what it is. */
const buildSame: Builder = (args) => {
  const [value] = args;
  return args.length === 1 && !isTagged(value) ? value : undefined;
};

const builders: ReadonlyMap<string, Builder> = new Map([
  ['builtins.list', buildList],
  ['builtins.set', buildSet],
  ['builtins.frozenset', buildSet],
  ['builtins.tuple', buildTuple],
  ['builtins.dict', buildDict],
  ['builtins.bytes', buildBytes],
  ['builtins.bytearray', buildBytes],
  ['builtins.int', buildSame],
  ['builtins.long', buildSame],
  ['builtins.float', buildSame],
  ['builtins.str', buildSame],
  ['builtins.unicode', buildSame],
  ['builtins.bool', buildSame],
  ['_codecs.encode', buildBytes],
  ['collections.OrderedDict', buildDict],
  ['collections.Counter', buildDict],
  ['collections.defaultdict', buildDefaultDict],
  ['collections.deque', buildList],
  ['torch.Size', buildTuple],
]);

function opaque(
  made: PickleObject['made'],
  callee: PickleValue,
  parts: { args: readonly PickleValue[]; offset: number },
): PickleObject {
  return { kind: 'object', made, callee, ...parts, state: undefined, items: null, entries: null };
}

function takeAttribute(args: readonly PickleValue[], machine: Constructor): PickleValue {
  const [base = null, name = null] = args;
  const { ledger, offset } = machine;
  const length =
    (isGlobal(base) ? base.name.length : 0) + (typeof name === 'string' ? name.length : 0);
  // Attributes of attributes would make a name longer without end.
  if (length > maxNameBytes) throw new PickleFault(`a name of ${length} characters`);
  ledger.attribute(base, name, offset);
  if (isGlobal(base) && typeof name === 'string') {
    const nested: PickleGlobal = { ...base, name: `${base.name}.${name}`, offset };
    ledger.meet(nested);
    return nested;
  }
  return opaque('attribute', base, { args: [name], offset });
}

/** REDUCE: the callee would be called with `args`. */
export function makeByCall(
  callee: PickleValue,
  args: readonly PickleValue[],
  machine: Constructor,
): PickleValue {
  const { ledger, offset } = machine;
  if (isObject(callee)) {
    ledger.callResult(callee, args, offset);
    return opaque('reduce', callee, { args, offset });
  }
  if (!isGlobal(callee)) throw new PickleFault('a value that is no function is called');
  const name = `${presentModule(callee.module)}.${callee.name}`;
  if (name === 'builtins.getattr') return takeAttribute(args, machine);
  if (name === 'copyreg.__newobj__' || name === 'copyreg._reconstructor') {
    machine.spend(args.length);
    const [type = null, ...rest] = args;
    return makeInstance(type, name === 'copyreg.__newobj__' ? rest : [], machine);
  }
  ledger.call(callee, args, offset);
  const [stream] = args;
  if (name === loadFromBytes && stream instanceof Uint8Array) machine.nest(stream);
  const built = builders.get(name)?.(args, machine);
  return built ?? opaque('reduce', callee, { args, offset });
}

/** NEWOBJ: an instance of a class, without running its constructor. */
export function makeInstance(
  type: PickleValue,
  args: readonly PickleValue[],
  machine: Constructor,
): PickleValue {
  const { offset } = machine;
  if (!isGlobal(type) && !isObject(type)) {
    throw new PickleFault('an instance of something that is no class');
  }
  if (isGlobal(type)) {
    const built = builders.get(`${presentModule(type.module)}.${type.name}`)?.(args, machine);
    if (built !== undefined) return built;
  }
  return opaque('new', type, { args, offset });
}
