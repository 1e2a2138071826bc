/** One zarr array: its chunks found, checked as far as that goes without decoding, and placed. */
import type { EncodedFile, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Box, Piece, Placement } from '../../checkpoint/tensor.ts';
import { crc32c } from '../../records/crc32c.ts';
import { inParallel } from '../../sources/in-parallel.ts';
import type { Source } from '../../sources/source.ts';
import { boxesOf, chunksIn, type GridBox, gridOf, unwrittenMost } from '../chunk-grid.ts';
import type { StoredValue } from '../ocdbt/tree-node.ts';
import { type ArrayLayout, LayoutFault } from './array-layout.ts';
import { type ArrayStore, bytesOf, lengthOf, sliceOf } from './array-store.ts';
import { placeChunk } from './chunk-placement.ts';
import { readShard } from './shard-index.ts';

/** Chunks of one array. */
const chunksMost = 1_000_000;

export interface ArrayToRead {
  readonly name: string;
  readonly layout: ArrayLayout;
  readonly store: ArrayStore;
  /** Keys of the store below its name, its metadata aside. */
  readonly stored: number;
  /** What a chunk means that is not stored: every one was written, or those of the fill value not. */
  readonly missing: 'damage' | 'fill';
}

export interface ReadArray {
  readonly placement: Placement;
  readonly encoded: readonly EncodedFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
}

interface Found {
  readonly box: GridBox;
  readonly key: string;
  readonly value: StoredValue | null;
}

/** @throws LaikaError `limit-exceeded` (chunks); as `Source.read`. */
export async function readArray(source: Source, array: ArrayToRead): Promise<ReadArray> {
  return new ArrayReader(source, array).read();
}

class ArrayReader {
  readonly #source: Source;
  readonly #array: ArrayToRead;
  readonly #encoded: EncodedFile[] = [];
  readonly #checksums: StoredChecksum[] = [];
  readonly #problems: Problem[] = [];
  #unwrittenSum = 0;

  constructor(source: Source, array: ArrayToRead) {
    this.#source = source;
    this.#array = array;
  }

  async read(): Promise<ReadArray> {
    const placement = await this.#place();
    const [encoded, checksums] =
      placement.kind === 'absent' ? [[], []] : [this.#encoded, this.#checksums];
    return { placement, encoded, checksums, problems: this.#problems };
  }

  async #place(): Promise<Placement> {
    const { layout } = this.#array;
    const { shape, elements, chunkShape } = layout;
    if (elements === 0) return { kind: 'dense', pieces: [] };
    const chunks = chunksIn(gridOf(shape, chunkShape));
    const { stored, missing } = this.#array;
    if (chunks > stored && missing === 'damage') return this.#missing(chunks);
    if (stored === 0) return this.#unwritten(elements);
    if (chunks > chunksMost) throw this.#limit();
    const found = await this.#find();
    if (!found) return { kind: 'absent', reason: 'its chunks cannot be read' };
    const boxes = await inParallel(found, (each) => this.#box(each));
    if (boxes.some((box) => box === null)) {
      return { kind: 'absent', reason: 'chunks of it are missing or damaged' };
    }
    return joined(boxes as Box[], shape);
  }

  /** Chunks of the fill value; where none is said, writers and readers take zero. */
  #unwritten(elements: number): Extract<Placement, { kind: 'zeros' | 'absent' }> {
    this.#unwrittenSum += elements;
    if (this.#unwrittenSum > unwrittenMost) {
      return { kind: 'absent', reason: `more than ${unwrittenMost} elements were never written` };
    }
    if (this.#array.layout.fillsWithZeros !== false) return { kind: 'zeros' };
    return { kind: 'absent', reason: 'chunks were left out, and their fill value is not zero' };
  }

  /** More chunks than keys: told without walking a grid that is larger than anything stored. */
  #missing(chunks: number): Placement {
    const { name, layout, store, stored } = this.#array;
    for (const { place } of boxesOf(layout.shape, layout.chunkShape)) {
      const key = keyBelow(name, layout.keyOf(place));
      if (store.values.has(key)) continue;
      const message = `${stored} of its ${chunks} chunks were written; ${key} is missing`;
      if (store.isWhole) this.#fault('shard-missing', 'damage', message);
      break;
    }
    return { kind: 'absent', reason: 'chunks of it are missing' };
  }

  async #find(): Promise<readonly Found[] | null> {
    const { name, layout, store } = this.#array;
    const found: Found[] = [];
    for (const box of boxesOf(layout.shape, layout.chunkShape)) {
      const key = keyBelow(name, layout.keyOf(box.place));
      found.push({ box, key, value: store.values.get(key) ?? null });
    }
    const { shard } = layout;
    if (!shard) return found;
    const inner = await inParallel(found, async ({ box, key, value }) => {
      if (!value || !this.#lies(key, value)) return value ? null : [{ box, key, value }];
      return this.#guard(key, async () => {
        const chunks = await readShard(this.#source, { ...layout, shard }, { box, value });
        return chunks.map((each) => ({ ...each, key: `${key}#${each.box.place.join('.')}` }));
      });
    });
    if (inner.some((each) => each === null)) return null;
    return inner.flatMap((each) => each ?? []);
  }

  /** Null: its problem is listed. */
  async #box({ box, key, value }: Found): Promise<Box | null> {
    const { origin, sizes } = box;
    if (!value) {
      return this.#unstored(box, key);
    }
    if (!this.#lies(key, value)) return null;
    const { layout } = this.#array;
    const chunkShape = layout.shard?.chunkShape ?? layout.chunkShape;
    return this.#guard(key, async () => {
      const own = layout.hasChecksum ? await this.#checked(key, value) : value;
      const chunk = { key, layout, chunkShape, sizes, value: own };
      const { placement, encoded } = await placeChunk(this.#source, chunk);
      if (encoded) this.#encoded.push(encoded);
      return { origin, sizes, placement };
    });
  }

  #unstored({ origin, sizes }: GridBox, key: string): Box | null {
    if (this.#array.missing === 'fill') {
      const placement = this.#unwritten(chunksIn(sizes));
      return placement.kind === 'zeros' ? { origin, sizes, placement } : null;
    }
    if (this.#array.store.isWhole) {
      this.#fault('shard-missing', 'damage', `its chunk ${key} was never written`);
    }
    return null;
  }

  /** The value without the checksum behind it, which is judged when the bytes are read. */
  async #checked(key: string, value: StoredValue): Promise<StoredValue> {
    const length = lengthOf(value) - 4;
    if (length < 0) throw new LayoutFault('file-truncated', 'damage', 'a chunk has no checksum');
    const body = sliceOf(value, 0, length);
    const bytes = await bytesOf(this.#source, sliceOf(value, length, 4));
    const expected = Buffer.from(bytes).readUInt32LE(0);
    if (body.kind === 'range') {
      const { file, offset } = body;
      this.#checksums.push({ kind: 'crc32c', file, member: key, offset, length, expected });
    } else if (crc32c(body.bytes) !== expected) {
      throw new LayoutFault('checksum-mismatch', 'damage', 'a chunk does not have its CRC-32C');
    }
    return body;
  }

  /** Whether the value's bytes exist. */
  #lies(key: string, value: StoredValue): boolean {
    if (value.kind === 'inline') return true;
    const { file, offset, length } = value;
    const size = this.#array.store.sizes.get(file);
    if (size !== undefined && offset + length <= size) return true;
    const rule = size === undefined ? 'shard-missing' : 'file-truncated';
    const what = size === undefined ? 'is missing' : `has ${size} bytes`;
    const message = `its chunk ${key} lies at ${offset} to ${offset + length} of a file that ${what}`;
    this.#fault(rule, 'damage', message, file);
    return false;
  }

  async #guard<T>(key: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LayoutFault)) throw error;
      const value = this.#array.store.values.get(key.split('#', 1)[0] as string);
      const file = value?.kind === 'range' ? value.file : undefined;
      this.#fault(error.rule, error.kind, `${key}: ${error.message}`, file);
      return null;
    }
  }

  #fault(rule: Problem['rule'], kind: Problem['kind'], message: string, file?: string): void {
    const { name, store } = this.#array;
    this.#problems.push({ rule, kind, file: file ?? store.file, tensor: name, message });
  }

  #limit(): LaikaError {
    return new LaikaError({
      code: 'limit-exceeded',
      what: `The array is cut into more than ${chunksMost} chunks`,
      where: this.#array.name,
    });
  }
}

/** The array of the store's own folder has no name. */
function keyBelow(name: string, key: string): string {
  return name === '' ? key : `${name}/${key}`;
}

/** Parts along the first dimension alone follow one another; others are boxes. */
function joined(boxes: readonly Box[], shape: readonly number[]): Placement {
  const [first, ...others] = boxes as [Box, ...Box[]];
  if (others.length === 0) return first.placement;
  const areRows = boxes.every(({ sizes }) =>
    sizes.every((size, d) => d === 0 || size === shape[d]),
  );
  const pieces = boxes.flatMap(({ placement }): readonly Piece[] => {
    return placement.kind === 'dense' ? placement.pieces : [];
  });
  return areRows && pieces.length === boxes.length
    ? { kind: 'dense', pieces }
    : { kind: 'boxes', boxes };
}
