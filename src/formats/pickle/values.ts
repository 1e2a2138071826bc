/** What a pickle describes, as plain data. Nothing here was ever called. */

export type PickleValue =
  | null
  | boolean
  | number
  /** Integers beyond ±2^53. */
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleSet
  | PickleGlobal
  | PickleObject
  | PicklePersistent;

export interface PickleList {
  readonly kind: 'list';
  readonly items: PickleValue[];
}

export interface PickleTuple {
  readonly kind: 'tuple';
  readonly items: readonly PickleValue[];
}

/**
 * Any of Python's dictionaries, in insertion order. Keys that are objects are told apart by
 * identity.
 */
export interface PickleDict {
  readonly kind: 'dict';
  readonly entries: Map<PickleValue, PickleValue>;
  /** Attributes beside the entries: torch's `_metadata`. */
  state: PickleValue | undefined;
}

export interface PickleSet {
  readonly kind: 'set';
  readonly items: PickleValue[];
}

/** A class, function or constant by its name. */
export interface PickleGlobal {
  readonly kind: 'global';
  readonly module: string;
  readonly name: string;
  readonly offset: number;
}

/** What a call would have made. */
export interface PickleObject {
  readonly kind: 'object';
  /**
   * `reduce`: a function or class was to be called; `new`: an instance without its constructor;
   * `attribute`: getattr.
   */
  readonly made: 'reduce' | 'new' | 'attribute';
  readonly callee: PickleValue;
  readonly args: readonly PickleValue[];
  state: PickleValue | undefined;
  /** Items that a subclass of list or dict received. */
  items: PickleValue[] | null;
  entries: Map<PickleValue, PickleValue> | null;
  readonly offset: number;
}

/** A reference to something outside the pickle: torch's storages. */
export interface PicklePersistent {
  readonly kind: 'persistent';
  readonly id: PickleValue;
  readonly offset: number;
}

export function emptyDict(): PickleDict {
  return { kind: 'dict', entries: new Map(), state: undefined };
}

/** The value under a string key, or undefined where it is missing or `value` is no dictionary. */
export function entryOf(value: PickleValue | undefined, key: string): PickleValue | undefined {
  return isDict(value) ? value.entries.get(key) : undefined;
}

/** Narrows to the tagged kinds, so that arrays and bytes are out of the way. */
export function isTagged(
  value: PickleValue | undefined,
): value is Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

export function isDict(value: PickleValue | undefined): value is PickleDict {
  return isTagged(value) && value.kind === 'dict';
}

/** A list or a tuple. */
export function isSequence(value: PickleValue | undefined): value is PickleList | PickleTuple {
  return isTagged(value) && (value.kind === 'list' || value.kind === 'tuple');
}

export function isGlobal(value: PickleValue | undefined): value is PickleGlobal {
  return isTagged(value) && value.kind === 'global';
}

export function isObject(value: PickleValue | undefined): value is PickleObject {
  return isTagged(value) && value.kind === 'object';
}

/** `module.name` of a global. */
export function qualifiedName(global: PickleGlobal): string {
  return `${global.module}.${global.name}`;
}
