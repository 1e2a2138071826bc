/** What a group of an HDF5 file links to, in each of the three ways to store it. */
import { FractalHeap } from './fractal-heap.ts';
import { type Hdf5Bytes, Hdf5Fault, u64, undefinedAddress } from './hdf5-bytes.ts';
import { type Message, messageTypes } from './object-header.ts';
import { readTree2 } from './tree-2.ts';

export type Link =
  | { readonly kind: 'object'; readonly name: string; readonly address: number }
  /** Followed by nobody here: `path` for people. */
  | { readonly kind: 'soft' | 'external'; readonly name: string; readonly path: string };

const nodesMost = 1_000_000;
const linksMost = 1_000_000;
const heapMost = 2 ** 26;

/** @throws Hdf5Fault; as `Source.read`. Null: it is no group. */
export async function readLinks(
  bytes: Hdf5Bytes,
  messages: readonly Message[],
): Promise<Link[] | null> {
  const table = messages.find(({ type }) => type === messageTypes.symbolTable);
  if (table) {
    if (table.body.length < 16) throw new Hdf5Fault('header-invalid', 0, 'a symbol table is cut');
    return tableLinks(bytes, u64(table.body, 0), u64(table.body, 8));
  }
  const info = messages.find(({ type }) => type === messageTypes.linkInfo);
  if (!info) return null;
  const links = messages.flatMap(({ type, body }) => {
    return type === messageTypes.link ? (readLink(body) ?? []) : [];
  });
  return [...links, ...(await denseLinks(bytes, info.body))];
}

/** Records of names: four bytes of their sum, and the object in the heap. */
const namesType = 5;

/** Links of a group that has many, by their names as the tree of sums has no order of use. */
async function denseLinks(bytes: Hdf5Bytes, info: Buffer): Promise<Link[]> {
  // Flag 1: a maximum comes before the address of the heap.
  const heapAt = ((info[1] ?? 0) & 1) !== 0 ? 10 : 2;
  const hasHeap = info.length >= heapAt + 16;
  if (!hasHeap || info.readBigUInt64LE(heapAt) === undefinedAddress) return [];
  const heap = await FractalHeap.open(bytes, u64(info, heapAt));
  const links: Link[] = [];
  for (const record of await readTree2(bytes, u64(info, heapAt + 8), namesType)) {
    const link = readLink(await heap.object(record.subarray(4, 4 + heap.idBytes)));
    if (link) links.push(link);
  }
  return links.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
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
