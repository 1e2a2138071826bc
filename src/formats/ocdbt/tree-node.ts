/** One node of the B-tree: keys with values, or with the nodes below them. */
import { type DataFile, readFileTable } from './file-table.ts';
import type { NodePlace } from './manifest.ts';
import type { NodeCursor } from './node-cursor.ts';
import { malformed } from './node-fault.ts';

/** A value: its bytes, where they were written into the node, else where they lie. */
export type StoredValue =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'range';
      readonly file: string;
      readonly offset: number;
      readonly length: number;
    };

export interface TreeNode {
  readonly values: readonly { readonly key: Buffer; readonly value: StoredValue }[];
  /** Nodes below, each with what its keys begin with. */
  readonly children: readonly { readonly prefix: Buffer; readonly place: NodePlace }[];
}

const keyBytesMost = 65_535;

interface Keys {
  readonly keys: readonly Buffer[];
  /** How much of each key its child's keys begin with. */
  readonly common: readonly number[];
}

/**
 * Reads a node whose keys begin with `prefix`. `budget` bounds the keys of the whole database,
 * which share their beginnings in the file.
 * @throws NodeFault where it is malformed.
 */
export function readTreeNode(
  cursor: NodeCursor,
  at: { place: NodePlace; prefix: Buffer; budget: { keyBytes: number } },
): TreeNode {
  const { place, prefix } = at;
  const height = cursor.byte();
  if (height !== place.height) {
    throw malformed(`it is of height ${height}; ${place.height} was expected`);
  }
  const files = readFileTable(cursor, place.file.base);
  const { keys, common } = readKeys(cursor, at, height > 0);
  const node =
    height > 0
      ? { values: [], children: readChildren(cursor, files, { keys, common, height, prefix }) }
      : { values: readValues(cursor, files, keys), children: [] };
  cursor.expectEnd();
  return node;
}

function readKeys(
  cursor: NodeCursor,
  { prefix, budget }: { prefix: Buffer; budget: { keyBytes: number } },
  isInner: boolean,
): Keys {
  const count = cursor.count();
  if (count < 1) throw malformed('it has no keys');
  const shared = [0, ...cursor.varints(count - 1)];
  const suffixes = cursor.varints(count);
  const common = isInner ? cursor.varints(count) : [];
  const keys: Buffer[] = [];
  let previous = Buffer.alloc(0);
  for (let i = 0; i < count; i += 1) {
    const kept = shared[i] as number;
    if (kept > previous.length) throw malformed('a key shares more than there is');
    const own = Buffer.concat([previous.subarray(0, kept), cursor.take(suffixes[i] as number)]);
    const length = prefix.length + own.length;
    budget.keyBytes -= length;
    if (length > keyBytesMost) throw malformed(`a key has ${length} bytes`);
    if (budget.keyBytes < 0) throw malformed('its keys together are too long');
    if (i > 0 && Buffer.compare(previous, own) >= 0) throw malformed('its keys are not in order');
    keys.push(isInner ? own : Buffer.concat([prefix, own]));
    previous = own;
  }
  return { keys, common };
}

function readChildren(
  cursor: NodeCursor,
  files: readonly DataFile[],
  of: Keys & { height: number; prefix: Buffer },
): TreeNode['children'] {
  const count = of.keys.length;
  const ids = cursor.varints(count);
  const offsets = cursor.varints(count);
  const lengths = cursor.varints(count);
  // Counts of keys, of bytes of the tree and of bytes outside of it.
  for (let i = 0; i < 3; i += 1) cursor.varints(count);
  return of.keys.map((key, i) => {
    const common = of.common[i] as number;
    if (common > key.length) throw malformed('a child shares more than its key has');
    const [offset, length] = [offsets[i] as number, lengths[i] as number];
    const file = fileOf(files, ids[i] as number);
    const prefix = Buffer.concat([of.prefix, key.subarray(0, common)]);
    return { prefix, place: { file, offset, length, height: of.height - 1 } };
  });
}

function readValues(
  cursor: NodeCursor,
  files: readonly DataFile[],
  keys: readonly Buffer[],
): TreeNode['values'] {
  const lengths = cursor.varints(keys.length);
  const isOutside = Array.from({ length: keys.length }, () => {
    const kind = cursor.byte();
    if (kind > 1) throw malformed(`a value of kind ${kind} is not known`);
    return kind === 1;
  });
  const outside = isOutside.filter((each) => each).length;
  const ids = cursor.varints(outside);
  const offsets = cursor.varints(outside);
  let next = 0;
  return keys.map((key, i) => {
    const length = lengths[i] as number;
    if (!isOutside[i]) return { key, value: { kind: 'inline', bytes: cursor.take(length) } };
    const { path: file } = fileOf(files, ids[next] as number);
    const value = { kind: 'range', file, offset: offsets[next] as number, length } as const;
    next += 1;
    return { key, value };
  });
}

function fileOf(files: readonly DataFile[], id: number): DataFile {
  const file = files[id];
  if (!file) throw malformed(`it refers to file ${id} of ${files.length}`);
  return file;
}
