/** What torch's reconstruct functions would have built: read from their arguments, never called. */
import { loadFromBytes } from '../pickle/construct.ts';
import {
  entryOf,
  isGlobal,
  isObject,
  isSequence,
  isTagged,
  type PickleObject,
  type PicklePersistent,
  type PickleValue,
  qualifiedName,
} from '../pickle/values.ts';
import { type ElementType, elementTypeOf, elementTypeOfStorage } from './element-types.ts';
import { readShards, type ShardSpec } from './shard-spec.ts';

/** A tensor that looks at a storage. */
export interface ViewSpec {
  readonly kind: 'view';
  /** A reference, or the call that would load a stream inside the pickle. */
  readonly storage: PicklePersistent | PickleObject;
  /** In elements, as stored; checked by who places the view. */
  readonly offset: PickleValue;
  readonly size: PickleValue;
  readonly stride: PickleValue;
  /** Null: the storage's own type. */
  readonly type: ElementType | null;
  readonly conjugate: boolean;
  readonly negative: boolean;
  /** Set where the elements are not plain numbers. */
  readonly unread: string | null;
}

/** A tensor whose elements are not there as plain bytes. */
export interface AbsentSpec {
  readonly kind: 'absent';
  readonly type: ElementType | null;
  readonly size: PickleValue;
  readonly reason: string;
}

/** What stands where a tensor should: damage. */
export interface BrokenSpec {
  readonly kind: 'broken';
  readonly reason: string;
}

export type TensorSpec = ViewSpec | AbsentSpec | BrokenSpec | ShardSpec;

type Args = readonly PickleValue[];
type Rebuild = (args: Args) => TensorSpec | { readonly again: PickleValue };

function at(args: Args, index: number): PickleValue {
  return args[index] ?? null;
}

/** A reference to a storage beside the pickle. */
export function isPersistent(value: PickleValue): value is PicklePersistent {
  return isTagged(value) && value.kind === 'persistent';
}

/** What pickle.dump makes of a storage: a call that would load it from a bytes object. */
export function isNestedStorage(value: PickleValue): value is PickleObject {
  if (!isObject(value) || !isGlobal(value.callee)) return false;
  return value.made === 'reduce' && qualifiedName(value.callee) === loadFromBytes;
}

function typeOf(value: PickleValue): ElementType | null {
  return isGlobal(value) ? elementTypeOf(value.name) : null;
}

const noElements: PickleValue = { kind: 'tuple', items: [] };

function view(args: Args, rest: Partial<ViewSpec> = {}): TensorSpec {
  const storage = at(args, 0);
  if (!isPersistent(storage) && !isNestedStorage(storage)) {
    return { kind: 'broken', reason: 'its storage is no storage' };
  }
  return {
    kind: 'view',
    storage,
    offset: at(args, 1),
    size: at(args, 2),
    stride: at(args, 3),
    type: null,
    conjugate: false,
    negative: false,
    unread: null,
    ...rest,
  };
}

/** torch saves lazily applied operations as flags beside the stored values. */
function flags(metadata: PickleValue): Pick<ViewSpec, 'conjugate' | 'negative'> {
  return {
    conjugate: entryOf(metadata, 'conj') === true,
    negative: entryOf(metadata, 'neg') === true,
  };
}

const rebuildV3: Rebuild = (args) => {
  const type = typeOf(at(args, 6));
  if (!type) return { kind: 'broken', reason: 'its element type is unknown' };
  return view(args, { type, ...flags(at(args, 7)) });
};

/** Compressed layouts have five: rows, columns, values, size, and whether they were coalesced. */
const maxSparseParts = 8;

/** (layout, (indices, values, size)) or (layout, (rows, columns, values, size)). */
const rebuildSparse: Rebuild = (args) => {
  const parts = at(args, 1);
  const items: Args = isSequence(parts) ? parts.items : [];
  if (items.length === 0 || items.length > maxSparseParts) {
    return { kind: 'broken', reason: 'its parts are not those of a sparse tensor' };
  }
  const size = items.find((item) => isSequence(item)) ?? noElements;
  return { kind: 'absent', type: valueType(items), size, reason: 'sparse' };
};

/** Of the tensors inside a sparse one, the values come last. */
function valueType(items: Args): ElementType | null {
  const last = items.findLast((item) => isObject(item) && functionName(item) !== null);
  // A sparse tensor inside a sparse one would be no tensor of torch's.
  if (!isObject(last) || functionName(last)?.includes('sparse')) return null;
  const inner = readTensor(last);
  if (inner?.kind === 'absent') return inner.type;
  if (inner?.kind !== 'view') return null;
  return inner.type ?? storageType(inner.storage);
}

function storageType(storage: ViewSpec['storage']): ElementType | null {
  const type = isPersistent(storage) && isSequence(storage.id) ? storage.id.items[1] : undefined;
  return isGlobal(type) ? elementTypeOfStorage(type.name) : null;
}

const rebuilds: ReadonlyMap<string, Rebuild> = new Map<string, Rebuild>([
  ['_rebuild_tensor', (args) => view(args)],
  ['_rebuild_tensor_v2', (args) => view(args, flags(at(args, 6)))],
  ['_rebuild_tensor_v3', rebuildV3],
  ['_rebuild_parameter', (args) => ({ again: at(args, 0) })],
  ['_rebuild_parameter_with_state', (args) => ({ again: at(args, 0) })],
  ['_rebuild_device_tensor_from_cpu_tensor', (args) => ({ again: at(args, 0) })],
  ['_rebuild_sparse_tensor', rebuildSparse],
  ['_rebuild_sparse_csr_tensor', rebuildSparse],
  ['_rebuild_qtensor', (args) => view(args, { unread: 'quantised' })],
  [
    '_rebuild_nested_tensor',
    () => ({ kind: 'absent', type: null, size: noElements, reason: 'nested' }),
  ],
  ['_rebuild_meta_tensor_no_storage', (args) => absent(args, 0, 1, 'meta tensor')],
  ['_rebuild_wrapper_subclass', (args) => absent(args, 1, 2, 'one rank’s share of a tensor')],
  ['_rebuild_device_tensor_from_numpy', fromArray],
  ['_rebuild_xla_tensor', fromArray],
]);

function absent(args: Args, type: number, size: number, reason: string): TensorSpec {
  return { kind: 'absent', type: typeOf(at(args, type)), size: at(args, size), reason };
}

/** (array, element type, device, …); the array's shape lies in its own state. */
function fromArray(args: Args): TensorSpec {
  const array = at(args, 0);
  const state = isObject(array) && isSequence(array.state) ? array.state.items : [];
  return {
    kind: 'absent',
    type: typeOf(at(args, 1)),
    size: state[1] ?? noElements,
    reason: 'written inside the pickle as a NumPy array',
  };
}

const modules = new Set(['torch._utils', 'torch._tensor', 'torch.tensor']);
const wrapperFunction = '_rebuild_wrapper_subclass';
const fromType = new Set(['_rebuild_from_type_v2', '_rebuild_from_type']);

/** The reconstruct function that an object names, or null where it is no tensor. */
function functionName(object: PickleObject): string | null {
  const { callee, made } = object;
  if (made !== 'reduce' || !isGlobal(callee) || !modules.has(callee.module)) return null;
  return rebuilds.has(callee.name) || fromType.has(callee.name) ? callee.name : null;
}

/** Wrappers of wrappers; torch makes three at most. */
const maxWrappers = 8;

/** Reads a tensor out of a pickled value; null where the value is none. */
export function readTensor(value: PickleValue): TensorSpec | null {
  if (!isObject(value)) return null;
  let name = functionName(value);
  let args = value.args;
  for (let depth = 0; name !== null && depth < maxWrappers; depth += 1) {
    if (fromType.has(name)) {
      // (function, class, its arguments, state): a subclass of Tensor.
      const [inner = null, , innerArgs = null, state = null] = args;
      if (!isGlobal(inner) || !isSequence(innerArgs)) break;
      if (inner.name === wrapperFunction) return readShards(innerArgs.items, state);
      name = inner.name;
      args = innerArgs.items;
      continue;
    }
    const result = rebuilds.get(name)?.(args);
    if (!result || !('again' in result)) return result ?? unknown(name);
    if (!isObject(result.again)) break;
    name = functionName(result.again);
    args = result.again.args;
  }
  return functionName(value) === null ? null : { kind: 'broken', reason: 'it wraps no tensor' };
}

function unknown(name: string): TensorSpec {
  return { kind: 'broken', reason: `it is rebuilt by ${name}, which Laika does not know` };
}
