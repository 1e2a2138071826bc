/** The index of a shard: where each of its chunks lies. */
import { crc32c } from '../../records/crc32c.ts';
import type { Source } from '../../sources/source.ts';
import { boxesOf, chunksIn, type GridBox, gridOf } from '../chunk-grid.ts';
import type { StoredValue } from '../ocdbt/tree-node.ts';
import { type ArrayLayout, LayoutFault, type ShardLayout } from './array-layout.ts';
import { bytesOf, lengthOf, sliceOf } from './array-store.ts';

export interface ShardChunk {
  readonly box: GridBox;
  /** Null: the shard does not hold it. */
  readonly value: StoredValue | null;
}

/** Both numbers of a chunk that was left out. */
const leftOut = 2n ** 64n - 1n;

const entryBytes = 16;

/**
 * The chunks of the shard that holds `box`, those of them that hold elements of the array.
 * @throws LayoutFault where the index is malformed; LaikaError as `Source.read`.
 */
export async function readShard(
  source: Source,
  layout: ArrayLayout & { readonly shard: ShardLayout },
  at: { box: GridBox; value: StoredValue },
): Promise<readonly ShardChunk[]> {
  const { shard, chunkShape } = layout;
  const grid = gridOf(chunkShape, shard.chunkShape);
  const count = chunksIn(grid);
  const length = lengthOf(at.value);
  const indexBytes = entryBytes * count + (shard.indexHasChecksum ? 4 : 0);
  if (indexBytes > length) {
    const message = `a shard has ${length} bytes; the index of its ${count} chunks alone needs ${indexBytes}`;
    throw new LayoutFault('file-truncated', 'damage', message);
  }
  const from = shard.indexAtStart ? 0 : length - indexBytes;
  const index = Buffer.from(await bytesOf(source, sliceOf(at.value, from, indexBytes)));
  if (shard.indexHasChecksum) checkIndex(index);
  const chunks: ShardChunk[] = [];
  for (const box of boxesOf(at.box.sizes, shard.chunkShape, at.box.origin)) {
    const flat = box.place.reduce((sum, place, d) => sum * (grid[d] as number) + place, 0);
    chunks.push({ box, value: entryOf(index, flat, at.value) });
  }
  return chunks;
}

function checkIndex(index: Buffer): void {
  const stored = index.readUInt32LE(index.length - 4);
  const found = crc32c(index.subarray(0, -4));
  if (found === stored) return;
  const shown = (value: number) => value.toString(16).padStart(8, '0');
  const message = `the CRC-32C of a shard's index is ${shown(found)}; ${shown(stored)} was stored with it`;
  throw new LayoutFault('checksum-mismatch', 'damage', message);
}

function entryOf(index: Buffer, flat: number, shard: StoredValue): StoredValue | null {
  const offset = index.readBigUInt64LE(entryBytes * flat);
  const length = index.readBigUInt64LE(entryBytes * flat + 8);
  if (offset === leftOut && length === leftOut) return null;
  if (offset + length > BigInt(lengthOf(shard))) {
    const message = `a chunk of ${length} bytes at ${offset} does not lie in its shard of ${lengthOf(shard)} bytes`;
    throw new LayoutFault('tensor-out-of-bounds', 'damage', message);
  }
  return sliceOf(shard, Number(offset), Number(length));
}
