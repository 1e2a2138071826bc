/** Where the elements of an array lie, as its header says. */
import { chunksIn, gridOf } from '../chunk-grid.ts';
import {
  type ChunkedLayout,
  type ChunkIndex,
  chunksMost,
  readChunks,
  type StoredChunk,
} from './chunk-index.ts';
import { readFilters, type Undo, undoOf } from './filters.ts';
import { type Hdf5Bytes, u64, uint, undefinedAddress } from './hdf5-bytes.ts';
import { type Message, messageTypes } from './object-header.ts';

export interface PlacedChunk {
  /** Index of the chunk in each dimension. */
  readonly place: readonly number[];
  readonly address: number;
  readonly storedBytes: number;
  readonly undo: Extract<Undo, { kind: 'read' }>;
}

export type ArrayData =
  /** Consecutive bytes, at an address in the HDF5 file. */
  | { readonly kind: 'contiguous'; readonly address: number; readonly length: number }
  | { readonly kind: 'compact'; readonly bytes: Buffer }
  | {
      readonly kind: 'chunks';
      readonly chunkShape: readonly number[];
      readonly chunks: readonly PlacedChunk[];
      /** What a chunk holds that was never written; null where that is not zero. */
      readonly fill: 'zeros' | null;
    }
  /** No bytes were ever written. */
  | { readonly kind: 'unwritten' }
  | { readonly kind: 'unread'; readonly reason: string };

interface ArrayShape {
  readonly shape: readonly bigint[];
  readonly elementBytes: number;
}

const unread = (reason: string) => ({ kind: 'unread', reason }) as const;

/** A chunk whose bytes are sorted by their places is undone in memory. */
const sortedMost = 2 ** 28;

/** @throws Hdf5Fault where an index of chunks is broken; as `Source.read`. */
export async function readData(
  bytes: Hdf5Bytes,
  messages: readonly Message[],
  array: ArrayShape,
): Promise<ArrayData> {
  const body = (type: number) => messages.find((message) => message.type === type)?.body;
  const layout = body(messageTypes.layout);
  if (!layout) return unread('it has no data layout');
  const version = layout[0] ?? 0;
  if (version < 3 || version > 5) return unread(`data layout of version ${version}`);
  switch (layout[1]) {
    case 0: {
      const length = layout.length >= 4 ? layout.readUInt16LE(2) : 0;
      const data = layout.subarray(4, 4 + length);
      return data.length === length ? { kind: 'compact', bytes: data } : unread('its data is cut');
    }
    case 1: {
      if (layout.length < 18) return unread('its data layout is cut');
      const isUnwritten = layout.readBigUInt64LE(2) === undefinedAddress;
      if (isUnwritten) return { kind: 'unwritten' };
      return { kind: 'contiguous', address: u64(layout, 2), length: u64(layout, 10) };
    }
    case 2: {
      const filters = body(messageTypes.filters);
      const fill = isZeroFill(body(messageTypes.fillValue)) ? 'zeros' : null;
      return chunked(bytes, { layout, filters, fill }, array);
    }
    default:
      return unread('in a virtual array');
  }
}

/** Zero is what is meant where no value is said. */
function isZeroFill(body: Buffer | undefined): boolean {
  if (!body) return true;
  const isThird = body[0] === 3;
  const isSaid = isThird ? ((body[1] ?? 0) & 0x20) !== 0 : body[3] === 1;
  const value = body.subarray(isThird ? 6 : 8);
  return !isSaid || value.every((byte) => byte === 0);
}

interface ChunkMessages {
  readonly layout: Buffer;
  readonly filters: Buffer | undefined;
  readonly fill: 'zeros' | null;
}

interface Parsed {
  readonly chunkShape: readonly number[];
  readonly index: ChunkIndex | 'none';
  /** Chunks that reach over the array's end are stored without filters. */
  readonly plainEdges: boolean;
}

async function chunked(
  bytes: Hdf5Bytes,
  { layout, filters: pipeline, fill }: ChunkMessages,
  { shape: wide, elementBytes }: ArrayShape,
): Promise<ArrayData> {
  const shape = wide.map(Number);
  const parsed = layout[0] === 3 ? olderLayout(layout, shape) : newerLayout(layout, shape);
  if (typeof parsed === 'string') return unread(parsed);
  const { chunkShape, index, plainEdges } = parsed;
  const filters = pipeline ? readFilters(pipeline) : [];
  if (!filters) return unread('its filters are malformed');
  const count = chunksIn(gridOf(shape, chunkShape));
  if (!(count <= chunksMost)) return unread(`cut into more than ${chunksMost} chunks`);
  const chunkBytes = chunkShape.reduce((product, size) => product * size, elementBytes);
  const described: ChunkedLayout = {
    shape,
    chunkShape,
    chunkBytes,
    isFiltered: filters.length > 0,
  };
  const stored = index === 'none' || count === 0 ? [] : await readChunks(bytes, index, described);
  const chunks: PlacedChunk[] = [];
  for (const chunk of stored) {
    const isPlain = plainEdges && isAtEdge(chunk, { shape, chunkShape });
    const undo = undoOf(isPlain ? [] : filters, chunk.skipped, elementBytes);
    if (undo.kind === 'unread') return unread(undo.reason);
    if (undo.planes > 1 && chunkBytes > sortedMost) return unread('in chunks that are too large');
    const { place, address, storedBytes } = chunk;
    chunks.push({ place, address, storedBytes, undo });
  }
  return { kind: 'chunks', chunkShape, chunks, fill };
}

function isAtEdge(
  { place }: StoredChunk,
  { shape, chunkShape }: Pick<ChunkedLayout, 'shape' | 'chunkShape'>,
): boolean {
  return place.some((index, d) => (index + 1) * (chunkShape[d] as number) > (shape[d] as number));
}

/** A text says why it is not read. */
function olderLayout(layout: Buffer, shape: readonly number[]): Parsed | string {
  const rank = (layout[2] ?? 0) - 1;
  if (rank !== shape.length || layout.length < 11 + 4 * rank) return 'its data layout is cut';
  const chunkShape = shape.map((_, d) => layout.readUInt32LE(11 + 4 * d));
  if (chunkShape.includes(0)) return 'its chunks are empty';
  const isNone = layout.readBigUInt64LE(3) === undefinedAddress;
  const index = isNone ? 'none' : ({ kind: 'tree-1', address: u64(layout, 3) } as const);
  return { chunkShape, index, plainEdges: false };
}

/** Bytes of an index's own settings before its address, by its number. */
const settingsBytes: ReadonlyMap<number, number> = new Map([
  [2, 0],
  [3, 1],
  [4, 5],
  [5, 6],
]);

function newerLayout(layout: Buffer, shape: readonly number[]): Parsed | string {
  const [flags, rank, width] = [layout[2] ?? 0, (layout[3] ?? 0) - 1, layout[4] ?? 0];
  const typeAt = 5 + width * (rank + 1);
  const isSound = rank === shape.length && width >= 1 && width <= 8;
  if (!isSound || layout.length < typeAt + 9) return 'its data layout is cut';
  const chunkShape = shape.map((_, d) => uint(layout, 5 + width * d, width));
  if (chunkShape.includes(0)) return 'its chunks are empty';
  const type = layout[typeAt] as number;
  const isFilteredSingle = type === 1 && (flags & 2) !== 0;
  const settings = type === 1 ? (isFilteredSingle ? 12 : 0) : settingsBytes.get(type);
  const addressAt = typeAt + 1 + (settings ?? 0);
  if (settings === undefined || layout.length < addressAt + 8) return 'its data layout is cut';
  const plainEdges = (flags & 1) !== 0;
  if (layout.readBigUInt64LE(addressAt) === undefinedAddress) {
    return { chunkShape, index: 'none', plainEdges };
  }
  const address = u64(layout, addressAt);
  if (type === 4) return 'in chunks of an array that can grow';
  if (type !== 1) {
    const kind = ([null, null, 'implicit', 'fixed', null, 'tree-2'] as const)[type];
    if (!kind) return 'in chunks of an unknown index';
    return { chunkShape, index: { kind, address }, plainEdges };
  }
  return { chunkShape, index: singleOf(layout, { typeAt, address, isFilteredSingle }), plainEdges };
}

function singleOf(
  layout: Buffer,
  at: { typeAt: number; address: number; isFilteredSingle: boolean },
): ChunkIndex {
  const { typeAt, address, isFilteredSingle } = at;
  if (isFilteredSingle) {
    const storedBytes = u64(layout, typeAt + 1);
    return { kind: 'single', address, storedBytes, skipped: layout.readUInt32LE(typeAt + 9) };
  }
  const width = layout[4] as number;
  const sizes = Array.from({ length: layout[3] as number }, (_, d) => {
    return uint(layout, 5 + width * d, width);
  });
  const storedBytes = sizes.reduce((product, size) => product * size, 1);
  return { kind: 'single', address, storedBytes, skipped: 0 };
}
