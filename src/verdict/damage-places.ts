/** Where the damaged elements of a tensor lie to each other: strides, runs, blocks, parts, rectangles. */

/** Ascending flat logical indices and what they are indices of. */
export interface Places {
  readonly indices: readonly number[];
  /** Damaged elements in all. */
  readonly total: number;
  /** False: only some of the damaged elements are listed, and what lies between them is unknown. */
  readonly isWhole: boolean;
  readonly elements: number;
  readonly elementBytes: number;
  readonly shape: readonly number[];
  /** Byte of element 0 in its file; null where its bytes do not lie there in logical order. */
  readonly fileOffset: number | null;
}

/** Odds of 1 to 2^20 that indices drawn at random would lie so. */
const chanceBits = 20;

/** Laws miss elements that look healthy by chance: a block may have this many holes. */
const densityLeast = 0.75;

/** The rest of a tensor that was damaged as a whole may look healthy by chance. */
const wholeLeast = 0.95;

/** The tensor as a whole, or all but a few of its elements. */
export function isAll({ total, elements }: Places): boolean {
  return total > 1 && total >= wholeLeast * elements;
}

const blockSizes = [4096, 512, 64] as const;

export type BlockSize = (typeof blockSizes)[number];

function greatestDivisor(a: number, b: number): number {
  let [large, small] = [a, b];
  while (small > 0) [large, small] = [small, large % small];
  return large;
}

/** All indices leave the same rest: `every` apart from `first` on. Null where chance may do that. */
export function strideOf({ indices }: Places): { every: number; rest: number } | null {
  const first = indices[0] ?? 0;
  let every = 0;
  for (const index of indices) every = greatestDivisor(index - first, every);
  const bits = (indices.length - 1) * Math.log2(every);
  return bits >= chanceBits ? { every, rest: first % every } : null;
}

export interface Run {
  readonly first: number;
  readonly end: number;
}

/** One stretch without larger holes; null for a single element. */
export function runOf({ indices, isWhole }: Places): Run | null {
  const first = indices[0];
  const last = indices.at(-1);
  if (!isWhole || first === undefined || last === undefined || last === first) return null;
  const isDense = indices.length >= densityLeast * (last - first + 1);
  return isDense ? { first, end: last + 1 } : null;
}

/** Both ends of a stretch of bytes lie on borders of blocks, or a little inside of them. */
function fills(start: number, end: number, size: number): boolean {
  const slack = size / 8;
  return start % size <= slack && (size - (end % size)) % size <= slack && end - start > size / 2;
}

export interface Blocks {
  readonly size: BlockSize;
  readonly count: number;
  /** On borders counted from the tensor's start, and from the file's. */
  readonly inTensor: boolean;
  readonly inFile: boolean;
}

/** The largest blocks of which the run fills whole ones. */
export function blocksOf({ elementBytes, fileOffset }: Places, run: Run): Blocks | null {
  const start = run.first * elementBytes;
  const end = run.end * elementBytes;
  for (const size of blockSizes) {
    const inTensor = fills(start, end, size);
    const inFile = fileOffset !== null && fills(fileOffset + start, fileOffset + end, size);
    const count = Math.round((end - start) / size);
    if ((inTensor || inFile) && count > 0) return { size, count, inTensor, inFile };
  }
  return null;
}

/** The smallest aligned block that holds all of several elements, without being filled by them. */
export function enclosingBlock({ indices, elementBytes, isWhole }: Places): BlockSize | null {
  const first = (indices[0] ?? 0) * elementBytes;
  const last = (indices.at(-1) ?? 0) * elementBytes;
  if (!isWhole || indices.length < 2) return null;
  const sizes = [...blockSizes].reverse();
  return sizes.find((size) => Math.floor(first / size) === Math.floor(last / size)) ?? null;
}

const partsMost = 64;

/** The run is part `part` of `parts` equal ones. */
export function partOf({ elements }: Places, run: Run): { part: number; parts: number } | null {
  for (let parts = 2; parts <= partsMost; parts++) {
    const part = Math.round((run.first * parts) / elements);
    const first = Math.floor((elements * part) / parts);
    const end = Math.floor((elements * (part + 1)) / parts);
    if (run.first === first && run.end === end && end > first) return { part, parts };
  }
  return null;
}

export interface Rectangle {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
  readonly columns: number;
}

/** Lengths of a row: the last dimension's, or all but the first one's. */
function rowLengths({ shape, elements }: Places): readonly number[] {
  if (shape.length < 2) return [];
  return [...new Set([shape.at(-1) as number, elements / (shape[0] as number)])];
}

function rectangleIn({ indices }: Places, columns: number): Rectangle {
  let [left, right] = [Infinity, -Infinity];
  for (const index of indices) {
    left = Math.min(left, index % columns);
    right = Math.max(right, index % columns);
  }
  const row = Math.floor((indices[0] as number) / columns);
  const height = Math.floor((indices.at(-1) as number) / columns) - row + 1;
  return { row, column: left, height, width: right - left + 1, columns };
}

/** A dense rectangle of a matrix, of two rows or more; its width may be one column or all of them. */
export function rectangleOf(places: Places): Rectangle | null {
  if (!places.isWhole || places.indices.length < 4) return null;
  for (const columns of rowLengths(places)) {
    if (!(columns > 1)) continue;
    const found = rectangleIn(places, columns);
    const isDense = places.indices.length >= densityLeast * found.height * found.width;
    if (isDense && found.height > 1) return found;
  }
  return null;
}
