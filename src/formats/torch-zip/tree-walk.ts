/** Walks what a pickle described, in order, once: without recursion, and past no depth. */
import { maxContainers, maxDepth, maxPathCharacters } from '../pickle/limits.ts';
import { pickleLimit } from '../pickle/machine.ts';
import { escapeText } from '../pickle/preview.ts';
import { isDict, isTagged, type PickleObject, type PickleValue } from '../pickle/values.ts';

/** What the walk meets. A container that lies under two names is met under the first. */
export interface TreeVisitor {
  /** True: the value is a leaf, and nothing below it is walked. */
  leaf(path: string, value: PickleValue): boolean;
  container(path: string, value: PickleValue): void;
}

/** Part of a path: text as it is, numbers in decimal, anything else as Python would print it. */
export function keyText(key: PickleValue, depth = 0): string {
  if (typeof key === 'string') return key;
  if (key === null) return 'None';
  if (key === true) return 'True';
  if (key === false) return 'False';
  if (!isTagged(key)) return key instanceof Uint8Array ? `${key.length} bytes` : String(key);
  // Tuples of tuples can share their parts: only shallow ones are spelled out.
  if (key.kind === 'tuple' && key.items.length <= 8 && depth < 2) {
    const parts = key.items.map((item) => {
      return typeof item === 'string' ? `'${item.slice(0, 200)}'` : keyText(item, depth + 1);
    });
    return `(${parts.join(', ')}${parts.length === 1 ? ',' : ''})`;
  }
  return key.kind === 'global' ? escapeText(`${key.module}.${key.name}`) : `<${key.kind}>`;
}

/** The path of a key below `path`. */
export function below(path: string, key: PickleValue): string {
  return path === '' ? keyText(key) : `${path}.${keyText(key)}`;
}

function* pairsOf(entries: Iterable<[PickleValue, PickleValue]>): Generator<Child> {
  for (const [key, value] of entries) yield { key, value };
}

function* numbered(items: readonly PickleValue[]): Generator<Child> {
  for (const [index, value] of items.entries()) yield { key: index, value };
}

function* ofObject(object: PickleObject): Generator<Child> {
  if (object.made !== 'attribute') yield* numbered(object.args);
  if (isDict(object.state)) yield* pairsOf(object.state.entries);
  else if (object.state !== undefined) yield { key: 'state', value: object.state };
  if (object.items) yield* numbered(object.items);
  if (object.entries) yield* pairsOf(object.entries);
}

export interface Child {
  readonly key: PickleValue;
  readonly value: PickleValue;
}

/** The values inside a value, in order; none for atoms, names and storages. */
export function childrenOf(value: PickleValue): Iterable<Child> {
  if (!isTagged(value)) return [];
  switch (value.kind) {
    case 'list':
    case 'tuple':
    case 'set':
      return numbered(value.items);
    case 'dict':
      return pairsOf(value.entries);
    case 'object':
      return ofObject(value);
    default:
      return [];
  }
}

/**
 * Visits everything below `root`; `where` is named when a limit is passed.
 * @throws LaikaError `limit-exceeded` for more than 200 containers inside each other, or endless
 * names.
 */
export function walkTree(root: PickleValue, where: string, visitor: TreeVisitor): void {
  const visited = new Set<PickleValue>();
  const stack: { path: string; children: Iterator<Child> }[] = [];
  let characters = 0;
  const enter = (path: string, value: PickleValue) => {
    characters += path.length;
    if (characters > maxPathCharacters) {
      throw pickleLimit(where, `names of more than ${maxPathCharacters} characters together`);
    }
    if (visitor.leaf(path, value) || visited.has(value)) return;
    visited.add(value);
    if (visited.size > maxContainers) {
      throw pickleLimit(where, `more than ${maxContainers} containers`);
    }
    if (stack.length >= maxDepth)
      throw pickleLimit(where, `more than ${maxDepth} levels of nesting`);
    visitor.container(path, value);
    stack.push({ path, children: childrenOf(value)[Symbol.iterator]() });
  };
  if (isTagged(root)) enter('', root);
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const next = frame.children.next();
    if (next.done) stack.pop();
    else if (isTagged(next.value.value)) {
      enter(below(frame.path, next.value.key), next.value.value);
    }
  }
}
