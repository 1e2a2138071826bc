/** Fetches the elements of a view that is not contiguous: transposed, sliced, expanded. */
import assert from 'node:assert/strict';
import type { Source } from './source.ts';
import {
  type Axis,
  type Box,
  boxesOf,
  planReads,
  type ReadPlan,
  type ViewShape,
} from './strided-plan.ts';
import { scatter } from './strided-scatter.ts';

export interface StridedFile {
  readonly source: Source;
  readonly file: string;
  /** Byte of element (0, 0, …). */
  readonly offset: number;
  /** Bytes from `offset` that may be read. */
  readonly extentBytes: number;
  readonly elementBytes: number;
  readonly view: ViewShape;
}

/** Largest read; with the panel of `strided-tensor.ts` one view needs at most 16 MiB. */
const windowBytes = 8 * 1024 * 1024;

/** Small reads are gathered to this many bytes, which stay in cache, before they are spread out. */
const batchBytes = 1024 * 1024;

/**
 * One more read is worth as many unwanted bytes: a page, which storage moves at once. From the page
 * cache a read costs more than that, but elsewhere unwanted bytes cost far more.
 */
const readCost = 4096;

/** What a run of elements would cost to gather, in bytes; compare with the bytes it has. */
export function gatherCost(from: StridedFile, first: number, count: number): number {
  const limits = { elementBytes: from.elementBytes, windowBytes, readCost };
  let cost = 0;
  for (const box of boxesOf(from.view, first, count)) cost += planReads(box, limits).cost;
  return cost;
}

/**
 * Writes logical elements `first` … to `into` as they are stored; `into` must be aligned to four
 * bytes and hold whole elements. Returns the bytes read.
 */
export async function gather(from: StridedFile, first: number, into: Uint8Array): Promise<number> {
  const limits = { elementBytes: from.elementBytes, windowBytes, readCost };
  let bytesRead = 0;
  for (const box of boxesOf(from.view, first, into.length / from.elementBytes)) {
    const walk = walkOf(planReads(box, limits), from.elementBytes);
    bytesRead += await gatherBox(from, box, { walk, into });
  }
  return bytesRead;
}

interface Step extends Axis {
  /** Indices that one stop covers. */
  readonly stride: number;
}

/** A plan as loops: `outer` stops; at each, `batch` of `repeats` reads of `leaf` side by side. */
interface Walk {
  readonly outer: readonly Step[];
  readonly repeats: Axis;
  readonly batch: number;
  readonly leaf: readonly Axis[];
  /** Elements from first to last of a read. */
  readonly leafSpan: number;
}

const once: Axis = { size: 1, from: 0, to: 0 };

function walkOf({ axes, split, block }: ReadPlan, elementBytes: number): Walk {
  const steps = axes.slice(0, split).map((axis) => ({ ...axis, stride: 1 }));
  const blocked = axes[split];
  if (blocked && block < blocked.size) {
    const leaf = [{ ...blocked, size: block }, ...axes.slice(split + 1)];
    const outer = [...steps, { ...blocked, stride: block }];
    return { outer, repeats: once, batch: 1, leaf, leafSpan: spanOf(leaf) };
  }
  const leaf = axes.slice(split);
  const leafSpan = spanOf(leaf);
  const repeats = steps.at(-1) ?? once;
  const batch = Math.max(1, Math.floor(batchBytes / (leafSpan * elementBytes)));
  const outer = steps.slice(0, -1);
  return { outer, repeats, batch: Math.min(batch, repeats.size), leaf, leafSpan };
}

function spanOf(axes: readonly Axis[]): number {
  let elements = 1;
  for (const axis of axes) elements += (axis.size - 1) * axis.from;
  return elements;
}

/** Walks the outer axes like an odometer: no recursion, whatever the file's dimensions. */
async function gatherBox(
  from: StridedFile,
  box: Box,
  work: { walk: Walk; into: Uint8Array },
): Promise<number> {
  const { outer, repeats, batch, leaf, leafSpan } = work.walk;
  const index = outer.map(() => 0);
  // Never Buffer's pool: its slices are not aligned.
  const window = new Uint8Array(leafSpan * batch * from.elementBytes);
  let bytesRead = 0;
  do {
    let source = box.from;
    let target = box.to;
    for (const [i, axis] of outer.entries()) {
      source += (index[i] as number) * axis.from;
      target += (index[i] as number) * axis.to;
    }
    const part = trimmed(leaf, outer, index);
    for (let at = 0; at < repeats.size; at += batch) {
      const size = Math.min(batch, repeats.size - at);
      const reads = {
        at: source + at * repeats.from,
        size,
        step: repeats.from,
        span: spanOf(part),
      };
      bytesRead += await readSideBySide(from, reads, window);
      const axes = [{ size, from: reads.span, to: repeats.to }, ...part];
      const stored = { from: window, into: work.into, elementBytes: from.elementBytes };
      scatter(axes, target + at * repeats.to, stored);
    }
  } while (advance(index, outer));
  return bytesRead;
}

/** The last block of a blocked axis may be shorter. */
function trimmed(
  leaf: readonly Axis[],
  outer: readonly Step[],
  index: readonly number[],
): readonly Axis[] {
  const last = outer.at(-1);
  const [first, ...rest] = leaf;
  if (!last || !first || last.stride === 1) return leaf;
  const left = last.size - (index.at(-1) as number);
  return left < first.size ? [{ ...first, size: left }, ...rest] : leaf;
}

/** Next stop; false at the end. */
function advance(index: number[], outer: readonly Step[]): boolean {
  for (let i = index.length - 1; i >= 0; i--) {
    const { size, stride } = outer[i] as Step;
    const next = (index[i] as number) + stride;
    if (next < size) {
      index[i] = next;
      return true;
    }
    index[i] = 0;
  }
  return false;
}

interface Reads {
  /** Element at which the first begins, and from one to the next. */
  readonly at: number;
  readonly step: number;
  readonly size: number;
  readonly span: number;
}

async function readSideBySide(
  from: StridedFile,
  reads: Reads,
  window: Uint8Array,
): Promise<number> {
  const { elementBytes, extentBytes, source, file, offset } = from;
  const length = reads.span * elementBytes;
  for (let i = 0; i < reads.size; i++) {
    const start = (reads.at + i * reads.step) * elementBytes;
    assert(start + length <= extentBytes, 'a view leaves the bytes it was checked to have');
    await source.read(file, offset + start, window.subarray(i * length, (i + 1) * length));
  }
  return reads.size * length;
}
