/** The one way from a placement to bytes: a run of a tensor's logical, row-major, little-endian elements. */
import assert from 'node:assert/strict';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Piece, Tensor } from '../checkpoint/tensor.ts';
import { readBoxes } from './boxed-tensor.ts';
import type { Eventually, Source } from './source.ts';
import { readStrided } from './strided-tensor.ts';

export interface ElementRun {
  /** Flat logical index of the first element. */
  readonly first: number;
  /** Elements; types smaller than a byte need a run of whole bytes. */
  readonly count: number;
  /** Exactly the bytes of the run; any alignment. */
  readonly into: Uint8Array;
}

/**
 * Fills `run.into` and returns the bytes that were read from files for it.
 * The run must lie inside the tensor, and the tensor must not be `absent`: both are asserted.
 * @throws LaikaError as `Source.read`.
 */
export function readTensorBytes(
  source: Source,
  tensor: Tensor,
  run: ElementRun,
): Eventually<number> {
  const { placement } = tensor;
  const start = byteOf(tensor, run.first);
  const length = byteOf(tensor, run.first + run.count) - start;
  assert(run.into.length === length, 'the buffer has the size of the run');
  assert(run.first >= 0 && run.first + run.count <= tensor.elements, 'the run is in the tensor');
  if (run.count === 0) return 0;
  switch (placement.kind) {
    case 'dense':
      return readDense(source, {
        pieces: placement.pieces,
        starts: startsOf(placement.pieces, tensor),
        start,
        into: run.into,
      });
    case 'strided':
      return readStrided(source, { tensor, placement }, run);
    case 'boxes': {
      const read = (part: Tensor, inside: ElementRun) => readTensorBytes(source, part, inside);
      return readBoxes({ tensor, boxes: placement.boxes, read }, run);
    }
    case 'inline':
      run.into.set(placement.bytes.subarray(start, start + length));
      return 0;
    case 'zeros':
      run.into.fill(0);
      return 0;
    case 'absent':
      return assert.fail(`${tensor.name} has no bytes`);
  }
}

function byteOf(tensor: Tensor, element: number): number {
  const bits = dtypeBits[tensor.dtype] * element;
  assert(Number.isSafeInteger(bits) && bits % 8 === 0, 'a run starts and ends at a byte');
  return bits / 8;
}

/** Logical byte at which every piece starts, and the end: one table a tensor, searched a page. */
const pieceStarts = new WeakMap<readonly Piece[], Float64Array>();

function startsOf(pieces: readonly Piece[], tensor: Tensor): Float64Array {
  const known = pieceStarts.get(pieces);
  if (known) return known;
  const starts = new Float64Array(pieces.length + 1);
  for (const [i, piece] of pieces.entries()) {
    starts[i + 1] = (starts[i] as number) + byteOf(tensor, piece.elements);
  }
  pieceStarts.set(pieces, starts);
  return starts;
}

interface DenseRun {
  readonly pieces: readonly Piece[];
  readonly starts: Float64Array;
  /** Logical byte at which the run starts. */
  readonly start: number;
  readonly into: Uint8Array;
}

function readDense(source: Source, run: DenseRun): Eventually<number> {
  const { pieces, starts, start, into } = run;
  const first = lastAtMost(starts, start);
  if ((starts[first + 1] as number) < start + into.length) return readPieces(source, run, first);
  const { file, offset } = pieces[first] as Piece;
  const reading = source.read(file, offset + start - (starts[first] as number), into);
  return reading ? reading.then(() => into.length) : into.length;
}

/** Reads a run that starts in piece `first` and ends in a later one. */
async function readPieces(
  source: Source,
  { pieces, starts, start, into }: DenseRun,
  first: number,
): Promise<number> {
  for (let i = first, done = 0; done < into.length; i++) {
    const piece = pieces[i];
    assert(piece, 'pieces tile the tensor');
    const inside = start + done - (starts[i] as number);
    const left = (starts[i + 1] as number) - (starts[i] as number) - inside;
    const length = Math.min(left, into.length - done);
    await source.read(piece.file, piece.offset + inside, into.subarray(done, done + length));
    done += length;
  }
  return into.length;
}

/** Index of the last start that is not above `value`. */
function lastAtMost(starts: Float64Array, value: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
