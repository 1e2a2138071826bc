/** What a group of an HDF5 file links to, in either of the two ways that old files store it. */
import { type Hdf5Bytes, Hdf5Fault, u64, undefinedAddress } from './hdf5-bytes.ts';
import { type Message, messageTypes } from './object-header.ts';

export type Link =
  | { readonly kind: 'object'; readonly name: string; readonly address: number }
  /** Followed by nobody here: `path` for people. */
  | { readonly kind: 'soft' | 'external'; readonly name: string; readonly path: string };

export interface Links {
  readonly links: readonly Link[];
  /** Links lie in a heap that is not read. */
  readonly isDense: boolean;
}

const nodesMost = 1_000_000;
const linksMost = 1_000_000;
const heapMost = 2 ** 26;

/** @throws Hdf5Fault; as `Source.read`. Null: it is no group. */
export async function readLinks(
  bytes: Hdf5Bytes,
  messages: readonly Message[],
): Promise<Links | null> {
  const table = messages.find(({ type }) => type === messageTypes.symbolTable);
  if (table) {
    if (table.body.length < 16) throw new Hdf5Fault('header-invalid', 0, 'a symbol table is cut');
    const links = await tableLinks(bytes, u64(table.body, 0), u64(table.body, 8));
    return { links, isDense: false };
  }
  const info = messages.find(({ type }) => type === messageTypes.linkInfo);
  if (!info) return null;
  const links = messages.flatMap(({ type, body }) => {
    return type === messageTypes.link ? (readLink(body) ?? []) : [];
  });
  // Flag 1: a maximum comes before the address of the heap.
  const heapAt = ((info.body[1] ?? 0) & 1) !== 0 ? 10 : 2;
  const hasHeap = info.body.length >= heapAt + 8;
  const isDense = hasHeap && info.body.readBigUInt64LE(heapAt) !== undefinedAddress;
  return { links, isDense };
}

/** Names in a heap, and a tree of nodes that hold pairs of a name and an address. */
async function tableLinks(bytes: Hdf5Bytes, tree: number, heap: number): Promise<Link[]> {
  const head = await bytes.marked(heap, 32, 'HEAP');
  const size = u64(head, 8);
  if (!(size <= heapMost)) throw new Hdf5Fault('header-invalid', heap, `a heap of ${size} bytes`);
  const names = await bytes.at(u64(head, 24), size);
  const links: Link[] = [];
  const pending = [tree];
  const seen = new Set<number>();
  for (let address = pending.pop(); address !== undefined; address = pending.pop()) {
    if (seen.has(address) || seen.size > nodesMost || links.length > linksMost) {
      throw new Hdf5Fault('header-invalid', address, 'the nodes of a group form a circle');
    }
    seen.add(address);
    const mark = (await bytes.at(address, 8)).toString('latin1', 0, 4);
    if (mark === 'SNOD') links.push(...(await symbolNode(bytes, address, names)));
    else pending.push(...(await treeNode(bytes, address)).reverse());
  }
  return links;
}

async function treeNode(bytes: Hdf5Bytes, address: number): Promise<number[]> {
  const head = await bytes.marked(address, 24, 'TREE');
  if (head[4] !== 0)
    throw new Hdf5Fault('header-invalid', address, 'a tree of chunks holds a group');
  const count = head.readUInt16LE(6);
  const body = await bytes.at(address + 24, 16 * count);
  return Array.from({ length: count }, (_, i) => u64(body, 16 * i + 8));
}

async function symbolNode(bytes: Hdf5Bytes, address: number, names: Buffer): Promise<Link[]> {
  const head = await bytes.marked(address, 8, 'SNOD');
  const count = head.readUInt16LE(6);
  const body = await bytes.at(address + 8, 40 * count);
  return Array.from({ length: count }, (_, i): Link => {
    const entry = body.subarray(40 * i, 40 * i + 40);
    const name = heapName(names, u64(entry, 0), address);
    if (entry.readUInt32LE(16) !== 2) return { kind: 'object', name, address: u64(entry, 8) };
    return { kind: 'soft', name, path: heapName(names, entry.readUInt32LE(24), address) };
  });
}

function heapName(names: Buffer, at: number, address: number): string {
  const end = at < names.length ? names.indexOf(0, at) : -1;
  if (end < 0) throw new Hdf5Fault('header-invalid', address, 'a name lies outside its heap');
  return names.toString('utf8', at, end);
}

/** A link that is a message of its own. Null: of a kind that nobody knows. */
function readLink(body: Buffer): Link | null {
  if (body[0] !== 1 || body.length < 4) return null;
  const flags = body[1] as number;
  let at = 2;
  const kind = flags & 8 ? (body[at++] as number) : 0;
  if (flags & 4) at += 8;
  if (flags & 16) at += 1;
  const width = 1 << (flags & 3);
  if (width === 8 || at + width > body.length) return null;
  const length = body.readUIntLE(at, width);
  const nameEnd = at + width + length;
  if (nameEnd + 2 > body.length) return null;
  const name = body.toString('utf8', at + width, nameEnd);
  if (kind === 0)
    return nameEnd + 8 > body.length ? null : { kind: 'object', name, address: u64(body, nameEnd) };
  const rest = body.subarray(nameEnd + 2, nameEnd + 2 + body.readUInt16LE(nameEnd));
  if (kind === 1) return { kind: 'soft', name, path: rest.toString('utf8') };
  // A file's name and a path in it, both closed by a zero.
  return {
    kind: 'external',
    name,
    path: rest.subarray(1).toString('utf8').replaceAll('\0', ' ').trim(),
  };
}
