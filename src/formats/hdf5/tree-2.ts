/** Records of a B-tree of HDF5's second version: names of a heap's objects, places of chunks. */
import { type Hdf5Bytes, Hdf5Fault, u64 } from './hdf5-bytes.ts';

const headerBytes = 38;
const recordsMost = 1_000_000;

/** A tree of a million records in nodes of two has twenty levels. */
const depthMost = 20;

/** Bytes before a node's records: mark, version, type. */
const nodeHead = 6;

interface Node {
  readonly address: number;
  readonly records: number;
  /** 0 is a leaf. */
  readonly level: number;
}

/** Widths of the numbers behind a child's address, by the level of the node that holds it. */
interface Widths {
  readonly count: number;
  /** Of the records below a child, which only nodes of level 2 and above store. */
  readonly total: readonly number[];
}

/** Bytes that a number up to `most` needs. */
export function widthOf(most: number): number {
  let bytes = 1;
  for (let rest = Math.floor(most / 256); rest >= 1; rest = Math.floor(rest / 256)) bytes += 1;
  return bytes;
}

function widthsOf(nodeBytes: number, recordBytes: number, depth: number): Widths {
  // A node's checksum takes four bytes.
  const space = nodeBytes - nodeHead - 4;
  let below = Math.floor(space / recordBytes);
  const count = widthOf(below);
  const total: number[] = [0, 0];
  for (let level = 1; level <= depth; level += 1) {
    const pointer = 8 + count + (total[level] as number);
    const own = Math.max(0, Math.floor((space - pointer) / (recordBytes + pointer)));
    below = (own + 1) * below + own;
    total.push(widthOf(below));
  }
  return { count, total };
}

/**
 * All records of the tree at `address`, each of the tree's own length.
 * @throws Hdf5Fault where it is none of `type`, or has no end; as `Source.read`.
 */
export async function readTree2(
  bytes: Hdf5Bytes,
  address: number,
  type: number,
): Promise<Buffer[]> {
  const head = await bytes.checked(address, headerBytes, 'BTHD');
  const fault = (message: string) => new Hdf5Fault('header-invalid', address, message);
  const [nodeBytes, recordBytes] = [head.readUInt32LE(6), head.readUInt16LE(10)];
  const depth = head.readUInt16LE(12);
  if (head[5] !== type) throw fault(`a tree of type ${head[5]} lies where one of ${type} should`);
  if (recordBytes === 0 || depth > depthMost) throw fault('a tree has no end');
  const widths = widthsOf(nodeBytes, recordBytes, depth);
  const found: Buffer[] = [];
  const pending: Node[] = [];
  const rootRecords = head.readUInt16LE(24);
  if (rootRecords > 0) pending.push({ address: u64(head, 16), records: rootRecords, level: depth });
  const seen = new Set<number>();
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node.address)) throw fault('the nodes of a tree form a circle');
    seen.add(node.address);
    const pointer = 8 + widths.count + (widths.total[node.level] ?? 0);
    const tail = node.level === 0 ? 0 : (node.records + 1) * pointer;
    const length = nodeHead + node.records * recordBytes + tail + 4;
    const body = await bytes.checked(node.address, length, node.level === 0 ? 'BTLF' : 'BTIN');
    for (let i = 0; i < node.records; i += 1) {
      const at = nodeHead + i * recordBytes;
      found.push(body.subarray(at, at + recordBytes));
    }
    for (let at = length - 4 - tail; at < length - 4; at += pointer) {
      const records = body.readUIntLE(at + 8, widths.count);
      if (records > 0) pending.push({ address: u64(body, at), records, level: node.level - 1 });
    }
    if (found.length + pending.length > recordsMost) throw fault('a tree has no end');
  }
  return found;
}
