/** Reads runs of tensors that lie in boxes: each box's part of a run is one read, then spread out. */
import assert from 'node:assert/strict';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Box, Tensor } from '../checkpoint/tensor.ts';
import type { Eventually } from './source.ts';

/** Fills `into` with elements `first` … of the tensor that is one box; returns the bytes read. */
export type ReadBox = (
  tensor: Tensor,
  run: { readonly first: number; readonly count: number; readonly into: Uint8Array },
) => Eventually<number>;

interface Layout {
  /** A box as a tensor of its own, in ascending order of its first element. */
  readonly parts: readonly Part[];
  /** Largest last element of this and all earlier parts. */
  readonly reach: Float64Array;
}

interface Part {
  readonly box: Box;
  readonly tensor: Tensor;
  /** Flat logical indices in the whole tensor. */
  readonly first: number;
  readonly last: number;
}

const layouts = new WeakMap<readonly Box[], Layout>();

/** Fills `run.into` from the boxes that the run meets; returns the bytes read from files. */
export async function readBoxes(
  from: { readonly tensor: Tensor; readonly boxes: readonly Box[]; readonly read: ReadBox },
  run: { readonly first: number; readonly count: number; readonly into: Uint8Array },
): Promise<number> {
  const { tensor, boxes } = from;
  const elementBytes = dtypeBits[tensor.dtype] / 8;
  assert(Number.isInteger(elementBytes), `boxes of ${tensor.dtype} are not read`);
  const { parts, reach } = layoutOf(tensor, boxes);
  const strides = stridesOf(tensor.shape);
  let bytesRead = 0;
  for (let i = firstAtLeast(reach, run.first); i < parts.length; i++) {
    const part = parts[i] as Part;
    if (part.first >= run.first + run.count) break;
    if (part.last < run.first) continue;
    bytesRead += await readPart(part, { strides, elementBytes, read: from.read }, run);
  }
  return bytesRead;
}

async function readPart(
  { box, tensor }: Part,
  how: { strides: readonly number[]; elementBytes: number; read: ReadBox },
  run: { first: number; count: number; into: Uint8Array },
): Promise<number> {
  const { strides, elementBytes } = how;
  // Both orders are row-major, so the elements that a run takes from a box are consecutive in it.
  const start = elementsBefore(box, strides, run.first);
  const end = elementsBefore(box, strides, run.first + run.count);
  if (start === end) return 0;
  const bytes = new Uint8Array((end - start) * elementBytes);
  const bytesRead = await how.read(tensor, { first: start, count: end - start, into: bytes });
  const line = lineOf(box, strides);
  for (let at = start; at < end; ) {
    const length = Math.min(line - (at % line), end - at);
    const target = flatIndex(box, strides, at) - run.first;
    const from = (at - start) * elementBytes;
    run.into.set(bytes.subarray(from, from + length * elementBytes), target * elementBytes);
    at += length;
  }
  return bytesRead;
}

/** Elements of the box that lie before flat index `flat` of the whole tensor. */
function elementsBefore({ origin, sizes }: Box, strides: readonly number[], flat: number): number {
  let before = 0;
  let rest = flat;
  let inner = sizes.reduce((product, size) => product * size, 1);
  for (const [d, size] of sizes.entries()) {
    const stride = strides[d] as number;
    inner = size === 0 ? 0 : inner / size;
    const place = Math.floor(rest / stride) - (origin[d] as number);
    rest %= stride;
    if (place < 0) return before;
    if (place >= size) return before + size * inner;
    before += place * inner;
  }
  // A 0-d tensor has one element, and `flat` may lie behind it.
  return sizes.length === 0 ? Math.min(flat, 1) : before;
}

function flatIndex({ origin, sizes }: Box, strides: readonly number[], index: number): number {
  let flat = 0;
  let rest = index;
  for (let d = sizes.length - 1; d >= 0; d--) {
    const size = sizes[d] as number;
    flat += ((rest % size) + (origin[d] as number)) * (strides[d] as number);
    rest = Math.floor(rest / size);
  }
  return flat;
}

/** Elements that are neighbours in the box and in the whole: whole inner dimensions are one line. */
function lineOf({ sizes }: Box, strides: readonly number[]): number {
  let line = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    if (strides[d] !== line) break;
    line *= sizes[d] as number;
  }
  return line;
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let d = shape.length - 2; d >= 0; d--) {
    strides[d] = (strides[d + 1] as number) * (shape[d + 1] as number);
  }
  return strides;
}

function layoutOf(tensor: Tensor, boxes: readonly Box[]): Layout {
  const known = layouts.get(boxes);
  if (known) return known;
  const strides = stridesOf(tensor.shape);
  const parts = boxes
    .map((box) => partOf(tensor, box, strides))
    .filter((part) => part.tensor.elements > 0)
    .sort((a, b) => a.first - b.first);
  const reach = new Float64Array(parts.length);
  for (const [i, { last }] of parts.entries()) reach[i] = Math.max(last, reach[i - 1] ?? 0);
  const layout = { parts, reach };
  layouts.set(boxes, layout);
  return layout;
}

function partOf(tensor: Tensor, box: Box, strides: readonly number[]): Part {
  const elements = box.sizes.reduce((product, size) => product * size, 1);
  return {
    box,
    tensor: { ...tensor, shape: box.sizes, elements, placement: box.placement },
    first: elements === 0 ? 0 : flatIndex(box, strides, 0),
    last: elements === 0 ? 0 : flatIndex(box, strides, elements - 1),
  };
}

/** Index of the first value that is not below `value`, in ascending values. */
function firstAtLeast(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
