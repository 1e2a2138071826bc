/** The regular grid of an array's chunks: places, and the part of the array that each one is. */
import { type DType, dtypeBits } from '../checkpoint/dtype.ts';
import type { Box } from '../checkpoint/tensor.ts';

/** Elements of an array that are zero as nothing was written: no bytes vouch for their number. */
export const unwrittenMost = 2 ** 30;

export interface GridBox {
  /** Index of the chunk in each dimension. */
  readonly place: readonly number[];
  /** First element of the array that it holds. */
  readonly origin: readonly number[];
  /** Elements of the array that it holds: fewer than a chunk's at the array's end. */
  readonly sizes: readonly number[];
}

/** Chunks in each dimension. */
export function gridOf(shape: readonly number[], chunk: readonly number[]): readonly number[] {
  return shape.map((size, d) => Math.ceil(size / (chunk[d] as number)));
}

/** Chunks of the whole grid; inexact where no file could hold them. */
export function chunksIn(grid: readonly number[]): number {
  return grid.reduce((product, size) => product * size, 1);
}

/** The boxes of an array, or of a part of it that begins at `from`, in row-major order. */
export function* boxesOf(
  shape: readonly number[],
  chunk: readonly number[],
  from: readonly number[] = shape.map(() => 0),
): Generator<GridBox> {
  const grid = gridOf(shape, chunk);
  const count = chunksIn(grid);
  for (let flat = 0; flat < count; flat += 1) {
    const place = placeOf(flat, grid);
    const inner = place.map((index, d) => index * (chunk[d] as number));
    yield {
      place,
      origin: inner.map((at, d) => at + (from[d] as number)),
      sizes: inner.map((at, d) => Math.min(chunk[d] as number, (shape[d] as number) - at)),
    };
  }
}

function placeOf(flat: number, grid: readonly number[]): number[] {
  const place = grid.map(() => 0);
  let rest = flat;
  for (let d = grid.length - 1; d >= 0; d -= 1) {
    const size = grid[d] as number;
    place[d] = rest % size;
    rest = Math.floor(rest / size);
  }
  return place;
}

/** Elements from one index to the next in each dimension of a packed array. */
export function stridesOf(sizes: readonly number[], order: 'C' | 'F'): readonly number[] {
  const strides = sizes.map(() => 1);
  let step = 1;
  for (let i = 0; i < sizes.length; i += 1) {
    const d = order === 'C' ? sizes.length - 1 - i : i;
    strides[d] = step;
    step *= sizes[d] as number;
  }
  return strides;
}

/** Whether the first elements of a chunk in row-major order are those of a box at its beginning. */
export function isPrefix(sizes: readonly number[], chunk: readonly number[]): boolean {
  // A dimension of one element has no order; past the first longer one nothing may be cut.
  const first = sizes.findIndex((size) => size !== 1);
  return first < 0 || sizes.every((size, d) => d <= first || size === chunk[d]);
}

export interface ChunkLayout {
  readonly chunkShape: readonly number[];
  /** Elements of the array that it holds, at its beginning in each dimension. */
  readonly sizes: readonly number[];
  /** `F` runs along the first dimension. */
  readonly order: 'C' | 'F';
  readonly bigEndian: boolean;
  readonly dtype: DType;
}

/** A whole chunk stored at `at`, in the file's order; logical order is row-major. */
export function placeInChunk(
  { chunkShape, sizes, order, bigEndian, dtype }: ChunkLayout,
  at: { readonly file: string; readonly offset: number; readonly rank?: number },
): Box['placement'] {
  const isRowMajor = order === 'C' || chunkShape.length < 2;
  if (isRowMajor && !bigEndian && isPrefix(sizes, chunkShape)) {
    const elements = sizes.reduce((product, size) => product * size, 1);
    return { kind: 'dense', pieces: [{ ...at, elements }] };
  }
  const { file, offset } = at;
  const strides = stridesOf(chunkShape, order);
  const extentBytes = (chunksIn(chunkShape) * dtypeBits[dtype]) / 8;
  return {
    kind: 'strided',
    file,
    offset,
    strides,
    extentBytes,
    ...(bigEndian ? { bigEndian } : {}),
  };
}
