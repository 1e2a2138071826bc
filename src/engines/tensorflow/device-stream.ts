/** One stream of a sweep that TensorFlow works on: its chunk, in a memory of our own, and its rows. */
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { DigestTable } from '../../records/digest.ts';
import { blockElements, chunkElements, digestBytes } from '../../records/grid.ts';
import { valuesOf } from '../narrow-types.ts';
import type { Chunk } from '../sweep-reader.ts';
import { type Kernels, loadKernels } from '../wasm/kernels.ts';
import { dataAt, digestsAt, slackBytes } from '../wasm/layout.ts';
import type { Matrix, Runner } from './device.ts';
import { codings, type DeviceType } from './row-graph.ts';

export function isDeviceType(dtype: DType): dtype is DeviceType {
  return Object.hasOwn(codings, dtype);
}

/** Room for a chunk of each stream, and the kernel that digests them. */
export class Staging {
  readonly #kernels: Kernels;
  readonly #buffer: ArrayBuffer;
  readonly #shift: number;

  /**
   * TensorFlow shares memory that is aligned to 64 bytes and copies other memory at once. A GPU reads
   * it later than we know, so it must be given a copy.
   */
  static async open({ isGpu }: { readonly isGpu: boolean }): Promise<Staging> {
    const { kernels, buffer } = await loadKernels();
    return new Staging(kernels, buffer, isGpu ? 16 : 0);
  }

  private constructor(kernels: Kernels, buffer: ArrayBuffer, shift: number) {
    this.#kernels = kernels;
    this.#buffer = buffer;
    this.#shift = shift;
  }

  /** Copies the bytes of a chunk and returns the copy, which stays until the next one comes. */
  place(slot: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const room = new Uint8Array(this.#buffer, this.#addressOf(slot), bytes.length);
    room.set(bytes);
    return room;
  }

  /** Appends the digests of a chunk that was placed. */
  digest(placed: Uint8Array, into: DigestTable): void {
    this.#kernels.digest(placed.byteOffset, placed.length, digestsAt);
    const pairs = 2 * Math.ceil(placed.length / digestBytes);
    into.append(new Uint32Array(this.#buffer, digestsAt, pairs));
  }

  #addressOf(slot: number): number {
    return dataAt + slot * (4 * chunkElements + slackBytes) + this.#shift;
  }
}

export class DeviceStream {
  readonly type: DeviceType;
  readonly elements: number;
  readonly #staging: Staging;
  readonly #slot: number;
  readonly #screen: Runner;
  #bytes = new Uint8Array();
  #rows = 0;
  #count = 0;
  #isOdd: Uint8Array | null = null;

  constructor(
    { type, elements, slot }: { type: DeviceType; elements: number; slot: number },
    staging: Staging,
    screen: Runner,
  ) {
    this.type = type;
    this.elements = elements;
    this.#staging = staging;
    this.#slot = slot;
    this.#screen = screen;
  }

  load({ count }: Chunk, bytes: Uint8Array): void {
    this.#bytes = this.#staging.place(this.#slot, bytes);
    this.#count = count;
    this.#rows = Math.floor(count / blockElements);
    this.#isOdd = null;
  }

  /** Elements of the chunk. */
  get count(): number {
    return this.#count;
  }

  /** Whole rows of the chunk. */
  get rows(): number {
    return this.#rows;
  }

  /** The whole rows, as models take them. */
  get matrix(): Matrix {
    const { words } = codings[this.type];
    const { buffer, byteOffset } = this.#bytes;
    return {
      words: new Int32Array(buffer, byteOffset, this.#rows * words),
      shape: [this.#rows, words],
    };
  }

  digest(into: DigestTable): void {
    this.#staging.digest(this.#bytes, into);
  }

  /** The codes of float32 elements from `at` on. */
  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset + 4 * at, count);
  }

  /** The codes of 16-bit elements from `at` on. */
  codes(at: number, count: number): Uint16Array {
    return new Uint16Array(this.#bytes.buffer, this.#bytes.byteOffset + 2 * at, count);
  }

  /** The values of elements from `at` on. */
  values(at: number, count: number): Float64Array {
    if (this.type === 'f32') {
      const start = this.#bytes.byteOffset + 4 * at;
      return Float64Array.from(new Float32Array(this.#bytes.buffer, start, count));
    }
    const values = valuesOf(this.type);
    return Float64Array.from(this.codes(at, count), (code) => values[code] as number);
  }

  /** 1 for each row with an element that TensorFlow does not read as it is, or that is not finite. */
  oddRows(): Uint8Array {
    this.#isOdd ??= this.#screenRows();
    return this.#isOdd;
  }

  #screenRows(): Uint8Array {
    const odd = new Uint8Array(this.#rows);
    if (this.#rows === 0) return odd;
    const { infinity } = codings[this.type];
    const found = realsOf(this.#screen({ bits: this.matrix }).rows);
    for (let row = 0; row < this.#rows; row++) {
      const largest = found[row] as number;
      const small = found[this.#rows + row] as number;
      odd[row] = largest < infinity && small === 0 ? 0 : 1;
    }
    return odd;
  }
}

/** Bytes of a stream's chunk of `count` elements. */
export function bytesOf(type: DeviceType, count: number): number {
  return (dtypeBits[type] / 8) * count;
}

/** float64 that left a model as pairs of int32. */
export function realsOf(words: Int32Array | undefined): Float64Array {
  if (!words) throw new Error('the model returned less than was asked for');
  const isAligned = words.byteOffset % 8 === 0;
  const { buffer, byteOffset, length } = isAligned ? words : words.slice();
  return new Float64Array(buffer, byteOffset, length / 2);
}
