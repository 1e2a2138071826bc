/** Do the parts of a tensor tile it: nothing missing, nothing twice, nothing outside? */
import { LaikaError } from '../checkpoint/errors.ts';

export interface Extent {
  readonly origin: readonly number[];
  readonly sizes: readonly number[];
}

/** Comparisons of two boxes; a grid of a million chunks needs about one a chunk and dimension. */
const comparisonsMost = 50_000_000;

/**
 * One sentence on the first fault, or null where the boxes tile the shape exactly. Boxes without
 * elements may lie anywhere inside.
 * @throws LaikaError `limit-exceeded` where the boxes lie so that checking them costs too much.
 */
export function tilingFault(shape: readonly number[], boxes: readonly Extent[]): string | null {
  for (const box of boxes) {
    if (!isInside(shape, box)) return `${shown(box)} lies outside of the shape [${shape}]`;
  }
  const filled = boxes.filter(({ sizes }) => volume(sizes) > 0n);
  const overlap = overlapOf(shape, filled);
  if (overlap) return `${shown(overlap[0])} overlaps ${shown(overlap[1])}`;
  const covered = filled.reduce((sum, { sizes }) => sum + volume(sizes), 0n);
  const whole = volume(shape);
  return covered === whole ? null : `its parts hold ${covered} of ${whole} elements`;
}

function volume(sizes: readonly number[]): bigint {
  return sizes.reduce((product, size) => product * BigInt(size), 1n);
}

function isInside(shape: readonly number[], { origin, sizes }: Extent): boolean {
  if (origin.length !== shape.length || sizes.length !== shape.length) return false;
  return shape.every((size, d) => {
    const [from, length] = [origin[d] as number, sizes[d] as number];
    return isCount(from) && isCount(length) && from + length <= size;
  });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Sweeps along the dimension with the most borders; only boxes that the sweep is in are compared. */
function overlapOf(shape: readonly number[], boxes: readonly Extent[]): [Extent, Extent] | null {
  if (shape.length === 0) return boxes.length > 1 ? [boxes[0] as Extent, boxes[1] as Extent] : null;
  const axis = axisWithMostStarts(shape, boxes);
  const start = ({ origin }: Extent) => origin[axis] as number;
  const end = ({ origin, sizes }: Extent) => (origin[axis] as number) + (sizes[axis] as number);
  const sorted = [...boxes].sort((a, b) => start(a) - start(b));
  let open: Extent[] = [];
  let comparisons = 0;
  let at = -1;
  for (const box of sorted) {
    if (start(box) !== at) {
      at = start(box);
      comparisons += open.length;
      open = open.filter((other) => end(other) > at);
    }
    comparisons += open.length;
    if (comparisons > comparisonsMost) throw tooMany(boxes.length);
    const other = open.find((each) => meets(each, box));
    if (other) return [other, box];
    open.push(box);
  }
  return null;
}

function axisWithMostStarts(shape: readonly number[], boxes: readonly Extent[]): number {
  const starts = shape.map((_, d) => new Set(boxes.map(({ origin }) => origin[d])).size);
  return starts.indexOf(Math.max(...starts));
}

function meets(a: Extent, b: Extent): boolean {
  return a.origin.every((from, d) => {
    const other = b.origin[d] as number;
    return from < other + (b.sizes[d] as number) && other < from + (a.sizes[d] as number);
  });
}

function shown({ origin, sizes }: Extent): string {
  return `the part of [${sizes}] at [${origin}]`;
}

function tooMany(boxes: number): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: 'The parts of a tensor lie so that checking them would take too long',
    where: `${boxes} parts`,
    why: `more than ${comparisonsMost} comparisons`,
  });
}
