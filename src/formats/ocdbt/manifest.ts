/** The manifest of an OCDBT database: its settings, and where the newest version's tree begins. */
import { type DataFile, readFileTable } from './file-table.ts';
import type { NodeCursor } from './node-cursor.ts';
import { malformed } from './node-fault.ts';

/** A node, or the part of one that another node points to. */
export interface NodePlace {
  readonly file: DataFile;
  readonly offset: number;
  readonly length: number;
  readonly height: number;
}

export interface Manifest {
  /** The versions are in files of their own, `manifest.<number>`. */
  readonly isNumbered: boolean;
  /** The newest version's root; null: the database is empty. */
  readonly root: NodePlace | null;
}

/** Offsets and lengths of a root that does not exist are 2^64 − 1. */
const missing = 2 ** 63;

/** @throws NodeFault where it is malformed. */
export function readManifest(cursor: NodeCursor): Manifest {
  cursor.take(16);
  const kind = cursor.byte();
  if (kind > 1) throw malformed(`a manifest of kind ${kind} is not known`);
  // Limits for inline values and decoded nodes, and the arity of the version tree.
  cursor.varints(2);
  cursor.byte();
  const compression = cursor.varint();
  if (compression > 1) throw malformed(`compression ${compression} is not known`);
  if (compression === 1) cursor.take(4);
  if (kind === 1 && cursor.left === 0) return { isNumbered: true, root: null };
  const root = readVersions(cursor, readFileTable(cursor, ''));
  skipVersionNodes(cursor);
  cursor.expectEnd();
  return { isNumbered: false, root };
}

function readVersions(cursor: NodeCursor, files: readonly DataFile[]): NodePlace | null {
  const count = cursor.count();
  cursor.varints(count);
  const heights = Array.from({ length: count }, () => cursor.byte());
  const ids = cursor.varints(count);
  const offsets = cursor.varints(count);
  const lengths = cursor.varints(count);
  // Counts of keys, of bytes of the tree and of bytes outside of it.
  for (let i = 0; i < 3; i += 1) cursor.varints(count);
  cursor.take(8 * count);
  const last = count - 1;
  if (count === 0 || (offsets[last] as number) >= missing) return null;
  const file = files[ids[last] as number];
  if (!file) throw malformed('its root lies in a file that it does not list');
  const [offset, length, height] = [offsets[last], lengths[last], heights[last]] as number[];
  return { file, offset: offset as number, length: length as number, height: height as number };
}

/** Where older versions are found; only the newest is read. */
function skipVersionNodes(cursor: NodeCursor): void {
  const count = cursor.count();
  for (let i = 0; i < 5; i += 1) cursor.varints(count);
  cursor.take(9 * count);
}
