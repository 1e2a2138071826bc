/** The table of data files that a manifest or node refers to. */
import { escapeReason } from '../../sources/safe-join.ts';
import type { NodeCursor } from './node-cursor.ts';
import { malformed, NodeFault } from './node-fault.ts';

export interface DataFile {
  /** Relative to the database. */
  readonly path: string;
  /** What the nodes inside it put before their own paths. */
  readonly base: string;
}

/** All paths of one table written out: they share their beginnings in the file. */
const tableBytesMost = 16 * 1024 * 1024;

/**
 * Reads a table; `base` is that of the file which the node itself lies in.
 * @throws NodeFault where it is malformed or a path leaves the database.
 */
export function readFileTable(cursor: NodeCursor, base: string): readonly DataFile[] {
  const count = cursor.count();
  const shared = count === 0 ? [] : [0, ...cursor.varints(count - 1)];
  const suffixes = cursor.varints(count);
  const bases = cursor.varints(count);
  const files: DataFile[] = [];
  let previous = Buffer.alloc(0);
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    const prefix = shared[i] as number;
    if (prefix > previous.length) throw malformed('a path shares more than there is');
    const path = Buffer.concat([previous.subarray(0, prefix), cursor.take(suffixes[i] as number)]);
    total += path.length;
    if (total > tableBytesMost) throw malformed(`its paths have more than ${tableBytesMost} bytes`);
    const ownBase = bases[i] as number;
    if (ownBase > path.length) throw malformed('a base is longer than its path');
    files.push(checked(base + path.toString(), base + path.toString('utf8', 0, ownBase)));
    previous = path;
  }
  return files;
}

function checked(path: string, base: string): DataFile {
  // The versions of a database that was empty refer to no file.
  const reason = path === '' ? null : escapeReason(path);
  if (reason === null) return { path, base };
  const message = `it refers to the file ${JSON.stringify(path)}: ${reason}`;
  throw new NodeFault('path-escape', message, 'security');
}
