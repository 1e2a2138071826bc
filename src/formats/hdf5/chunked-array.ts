/** An array in chunks as boxes: each where it lies, or as a part of the file that is decoded first. */
import type { EncodedFile } from '../../checkpoint/checkpoint.ts';
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Box, Placement } from '../../checkpoint/tensor.ts';
import { boxesOf, chunksIn, type GridBox, placeInChunk, unwrittenMost } from '../chunk-grid.ts';
import { joinBoxes } from '../join-boxes.ts';
import type { ArrayData, PlacedChunk } from './data-layout.ts';
import type { Hdf5Place } from './hdf5-bytes.ts';
import type { Hdf5Array } from './hdf5-file.ts';

export interface ChunkedArray {
  readonly array: Hdf5Array;
  readonly dtype: DType;
  readonly data: Extract<ArrayData, { kind: 'chunks' }>;
}

export interface PlacedChunks {
  readonly placement: Placement;
  readonly encoded: readonly EncodedFile[];
  /** Addresses in the HDF5 file. */
  readonly claims: readonly { readonly begin: number; readonly end: number }[];
  readonly faults: readonly Pick<Problem, 'rule' | 'kind' | 'message'>[];
}

/** Every chunk is compared with the file and with the grid. */
export function placeChunks(chunked: ChunkedArray, place: Hdf5Place): PlacedChunks {
  return new Placer(chunked, place).place();
}

/** Deflate makes at most 1,032 bytes of one: whoever promises more does not mean deflate. */
const inflateMost = 1032;

/** A name for a place in the grid; null where it is none of it. */
function keyOf(place: readonly number[]): string | null {
  return place.every((index) => Number.isSafeInteger(index)) ? place.join('.') : null;
}

class Placer {
  readonly #from: ChunkedArray;
  readonly #place: Hdf5Place;
  readonly #chunkBytes: number;
  readonly #encoded: EncodedFile[] = [];
  readonly #claims: { begin: number; end: number }[] = [];
  readonly #faults: Pick<Problem, 'rule' | 'kind' | 'message'>[] = [];

  constructor(from: ChunkedArray, place: Hdf5Place) {
    this.#from = from;
    this.#place = place;
    this.#chunkBytes = (chunksIn(from.data.chunkShape) * dtypeBits[from.dtype]) / 8;
  }

  place(): PlacedChunks {
    const placement = this.#all();
    const [encoded, claims, faults] = [this.#encoded, this.#claims, this.#faults];
    return { placement, encoded, claims, faults };
  }

  #all(): Placement {
    const { array, data, dtype } = this.#from;
    const shape = array.shape.map(Number);
    const byPlace = this.#byPlace();
    if (byPlace.size === 0) {
      this.#fault('tensor-missing', 'its bytes were never written');
      return { kind: 'absent', reason: 'never written' };
    }
    const written = byPlace.size * chunksIn(data.chunkShape);
    if (chunksIn(shape) - written > unwrittenMost) {
      return { kind: 'absent', reason: `more than ${unwrittenMost} elements were never written` };
    }
    const boxes: Box[] = [];
    for (const box of boxesOf(shape, data.chunkShape)) {
      const key = keyOf(box.place) as string;
      const chunk = byPlace.get(key);
      byPlace.delete(key);
      const placement = chunk ? this.#chunk(box, key, chunk) : this.#missing();
      if (!placement) return { kind: 'absent', reason: 'chunks of it are missing or damaged' };
      boxes.push({ origin: box.origin, sizes: box.sizes, placement });
    }
    const [outside] = byPlace.keys();
    if (outside !== undefined) {
      this.#fault('shape-mismatch', `its chunk ${outside} lies outside its shape (${shape})`);
    }
    return joinBoxes({ shape, dtype }, boxes);
  }

  #fault(rule: Problem['rule'], message: string, kind: Problem['kind'] = 'damage'): null {
    this.#faults.push({ rule, kind, message });
    return null;
  }

  #byPlace(): Map<string, PlacedChunk> {
    const found = new Map<string, PlacedChunk>();
    for (const chunk of this.#from.data.chunks) {
      const key = keyOf(chunk.place);
      if (key === null)
        this.#fault('header-invalid', 'a chunk lies between the places of the grid');
      else if (found.has(key)) this.#fault('duplicate-name', `it has two chunks ${key}`);
      else found.set(key, chunk);
    }
    return found;
  }

  /** Chunks are written when something is: the others are of the fill value. */
  #missing(): Box['placement'] | null {
    return this.#from.data.fill === 'zeros' ? { kind: 'zeros' } : null;
  }

  #chunk({ sizes }: GridBox, key: string, chunk: PlacedChunk): Box['placement'] | null {
    const { array, dtype, data } = this.#from;
    const { file, offset: start, sizeBytes: fileBytes } = this.#place;
    const { address, storedBytes: all, undo } = chunk;
    if (!(address + all <= fileBytes)) {
      const message = `its chunk ${key} claims bytes ${address} to ${address + all} of a file of ${fileBytes}`;
      return this.#fault('tensor-out-of-bounds', message);
    }
    const storedBytes = all - undo.tailBytes;
    const sizeBytes = this.#chunkBytes;
    const isPlain = undo.codec === 'stored';
    if (isPlain ? storedBytes !== sizeBytes : storedBytes <= 0) {
      const message = `its chunk ${key} has ${storedBytes} bytes; its shape makes ${sizeBytes}`;
      return this.#fault('shape-mismatch', message);
    }
    if (!isPlain && sizeBytes > inflateMost * (storedBytes + 1)) {
      const message = `its chunk ${key} would inflate from ${storedBytes} to ${sizeBytes} bytes`;
      return this.#fault('compression-bomb', message, 'security');
    }
    this.#claims.push({ begin: address, end: address + all });
    const { bigEndian, sizeBytes: elementBytes } = array.type;
    const isBig = bigEndian && elementBytes > 1;
    const layout = { chunkShape: data.chunkShape, sizes, order: 'C', bigEndian: isBig } as const;
    const offset = start + address;
    if (isPlain && undo.planes === 1) return placeInChunk({ ...layout, dtype }, { file, offset });
    const name = `${file}!${array.path}/${key}`;
    const planes = undo.planes > 1 ? { planes: undo.planes } : {};
    this.#encoded.push({
      name,
      file,
      offset,
      storedBytes,
      codec: undo.codec,
      sizeBytes,
      ...planes,
    });
    return placeInChunk({ ...layout, dtype }, { file: name, offset: 0 });
  }
}
