/** Where the chunks of an array lie, by each index that HDF5 has for them but the growing one. */
import { boxesOf } from '../chunk-grid.ts';
import {
  expectChecksum,
  type Hdf5Bytes,
  Hdf5Fault,
  u64,
  uint,
  undefinedAddress,
} from './hdf5-bytes.ts';
import { readTree2 } from './tree-2.ts';

export interface StoredChunk {
  /** Index of the chunk in each dimension. */
  readonly place: readonly number[];
  readonly address: number;
  readonly storedBytes: number;
  /** Bit i: filter i was left out. */
  readonly skipped: number;
}

/** The array as its layout message has it. */
export interface ChunkedLayout {
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  readonly chunkBytes: number;
  readonly isFiltered: boolean;
}

/** How the chunks are found, and from where; `address` is the file's word for "none" in a new array. */
export type ChunkIndex =
  | { readonly kind: 'tree-1' | 'tree-2' | 'implicit' | 'fixed'; readonly address: number }
  | {
      readonly kind: 'single';
      readonly address: number;
      readonly storedBytes: number;
      readonly skipped: number;
    };

/** Chunks of one array. */
export const chunksMost = 1_000_000;

const nodesMost = 1_000_000;

/** All chunks that were written. @throws Hdf5Fault; as `Source.read`. */
export async function readChunks(
  bytes: Hdf5Bytes,
  index: ChunkIndex,
  layout: ChunkedLayout,
): Promise<readonly StoredChunk[]> {
  switch (index.kind) {
    case 'single': {
      const { address, storedBytes, skipped } = index;
      return [{ place: layout.shape.map(() => 0), address, storedBytes, skipped }];
    }
    case 'tree-1':
      return readTree1(bytes, index.address, layout);
    case 'tree-2':
      return readRecords(bytes, index.address, layout);
    case 'implicit':
      return numbered(layout, (i) => ({
        address: index.address + i * layout.chunkBytes,
        storedBytes: layout.chunkBytes,
        skipped: 0,
      }));
    case 'fixed':
      return readFixed(bytes, index.address, layout);
  }
}

/** The chunks of the grid in row-major order. Null: it was not written. */
function numbered(
  layout: ChunkedLayout,
  entryOf: (i: number) => Omit<StoredChunk, 'place'> | null,
): readonly StoredChunk[] {
  const found: StoredChunk[] = [];
  let i = 0;
  for (const { place } of boxesOf(layout.shape, layout.chunkShape)) {
    const entry = entryOf(i);
    if (entry) found.push({ ...entry, place });
    i += 1;
  }
  return found;
}

/** The older tree: keys with the coordinates of a chunk's first element, in nodes with siblings. */
async function readTree1(
  bytes: Hdf5Bytes,
  root: number,
  { shape, chunkShape }: ChunkedLayout,
): Promise<readonly StoredChunk[]> {
  const rank = shape.length;
  const keyBytes = 8 + 8 * (rank + 1);
  const found: StoredChunk[] = [];
  const pending = [root];
  const seen = new Set<number>();
  for (let address = pending.pop(); address !== undefined; address = pending.pop()) {
    if (seen.has(address) || seen.size > nodesMost || found.length > chunksMost) {
      throw new Hdf5Fault('header-invalid', address, 'the chunks of an array have no end');
    }
    seen.add(address);
    const head = await bytes.marked(address, 24, 'TREE');
    if (head[4] !== 1)
      throw new Hdf5Fault('header-invalid', address, 'a tree of groups has chunks');
    const count = head.readUInt16LE(6);
    const body = await bytes.at(address + 24, count * (keyBytes + 8) + keyBytes);
    for (let i = 0; i < count; i += 1) {
      const at = i * (keyBytes + 8);
      const child = u64(body, at + keyBytes);
      if ((head[5] as number) > 0) pending.push(child);
      else {
        const place = chunkShape.map((size, d) => u64(body, at + 8 + 8 * d) / size);
        const storedBytes = body.readUInt32LE(at);
        found.push({ place, address: child, storedBytes, skipped: body.readUInt32LE(at + 4) });
      }
    }
  }
  return found;
}

/** Types of trees: chunks as they are, and through filters. */
const [plainType, filteredType] = [10, 11];

async function readRecords(
  bytes: Hdf5Bytes,
  address: number,
  layout: ChunkedLayout,
): Promise<readonly StoredChunk[]> {
  const type = layout.isFiltered ? filteredType : plainType;
  const records = await readTree2(bytes, address, type);
  const rank = layout.shape.length;
  return records.map((record) => {
    // Behind the address: the size, as wide as it needs, and the mask; then the place.
    const width = record.length - 8 - 8 * rank - (layout.isFiltered ? 4 : 0);
    if (width < 0 || width > 8 || (layout.isFiltered && width === 0)) {
      throw new Hdf5Fault('header-invalid', address, 'a record of a chunk is cut');
    }
    const at = record.length - 8 * rank;
    return {
      address: u64(record, 0),
      storedBytes: layout.isFiltered ? uint(record, 8, width) : layout.chunkBytes,
      skipped: layout.isFiltered ? record.readUInt32LE(at - 4) : 0,
      place: layout.shape.map((_, d) => u64(record, at + 8 * d)),
    };
  });
}

/** An array of entries, in pages where there are many. */
async function readFixed(
  bytes: Hdf5Bytes,
  address: number,
  layout: ChunkedLayout,
): Promise<readonly StoredChunk[]> {
  const fault = (message: string) => new Hdf5Fault('header-invalid', address, message);
  const head = await bytes.checked(address, 28, 'FAHD');
  const [entryBytes, pageBits] = [head[6] as number, head[7] as number];
  const [count, block] = [u64(head, 8), u64(head, 16)];
  const sizeBytes = entryBytes - 12;
  const isSound = layout.isFiltered ? sizeBytes > 0 && sizeBytes <= 8 : entryBytes === 8;
  if (!isSound || pageBits > 31 || !(count <= chunksMost)) throw fault('an index makes no sense');
  if (head.readBigUInt64LE(16) === undefinedAddress) return [];
  const entries = await fixedEntries(bytes, block, { count, entryBytes, page: 2 ** pageBits });
  return numbered(layout, (i) => {
    const entry = entries(i);
    if (!entry || entry.readBigUInt64LE(0) === undefinedAddress) return null;
    const { isFiltered, chunkBytes } = layout;
    return {
      address: u64(entry, 0),
      storedBytes: isFiltered ? uint(entry, 8, sizeBytes) : chunkBytes,
      skipped: isFiltered ? entry.readUInt32LE(8 + sizeBytes) : 0,
    };
  });
}

/** Entry `i`; null where its page was never written. */
async function fixedEntries(
  bytes: Hdf5Bytes,
  address: number,
  { count, entryBytes, page }: { count: number; entryBytes: number; page: number },
): Promise<(i: number) => Buffer | null> {
  const headBytes = 14;
  if (count <= page) {
    const block = await bytes.checked(address, headBytes + count * entryBytes + 4, 'FADB');
    return (i) => (i < count ? block.subarray(headBytes + i * entryBytes) : null);
  }
  const pages = Math.ceil(count / page);
  const bitmapBytes = Math.ceil(pages / 8);
  const head = await bytes.checked(address, headBytes + bitmapBytes + 4, 'FADB');
  const pageBytes = page * entryBytes + 4;
  const start = address + head.length;
  const found = new Map<number, Buffer>();
  for (let i = 0; i < pages; i += 1) {
    // The first page is the highest bit of the first byte.
    if ((((head[headBytes + (i >> 3)] as number) << (i & 7)) & 0x80) === 0) continue;
    const entries = Math.min(page, count - i * page);
    const at = start + i * pageBytes;
    const own = await bytes.at(at, entries * entryBytes + 4);
    expectChecksum(own, own.readUInt32LE(own.length - 4), { address: at, mark: 'a page of FADB' });
    found.set(i, own);
  }
  return (i) => {
    return found.get(Math.floor(i / page))?.subarray((i % page) * entryBytes) ?? null;
  };
}
