/** How the elements of a view are fetched: which ranges to read, and where their elements go. Pure arithmetic. */

/** One dimension of a block: how many indices, and how far one index moves in file and in result. */
export interface Axis {
  readonly size: number;
  /** In elements. */
  readonly from: number;
  readonly to: number;
}

/** Elements whose indices form a block: contiguous in no sense but this. */
export interface Box {
  /** Element offsets of its first element: in the storage and in the result. */
  readonly from: number;
  readonly to: number;
  readonly axes: readonly Axis[];
}

/** Merged dimensions of a view: no dimension of one index, none that continues the next one. */
export interface ViewShape {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
}

/**
 * Drops and merges dimensions. What is left has two or more indices each, so there are at most 53,
 * however many dimensions the file claims. The view must not be empty.
 */
export function mergeDimensions(shape: readonly number[], strides: readonly number[]): ViewShape {
  const sizes: number[] = [];
  const merged: number[] = [];
  for (const [i, size] of shape.entries()) {
    if (size === 1) continue;
    const stride = strides[i] as number;
    const last = sizes.length - 1;
    if (last >= 0 && merged[last] === stride * size) {
      sizes[last] = (sizes[last] as number) * size;
      merged[last] = stride;
    } else {
      sizes.push(size);
      merged.push(stride);
    }
  }
  return { sizes, strides: merged };
}

/** Cuts `count` consecutive logical elements into boxes, at most two a dimension. */
export function boxesOf(view: ViewShape, first: number, count: number): Box[] {
  const { sizes, strides } = view;
  const inner = sizes.map(() => 1);
  for (let d = sizes.length - 2; d >= 0; d--) {
    inner[d] = (inner[d + 1] as number) * (sizes[d + 1] as number);
  }
  const boxes: Box[] = [];
  const end = first + count;
  for (let at = first; at < end; ) {
    const { from, outermost, length } = boxAt(view, inner, { at, end });
    const axes = sizes.slice(outermost).map((size, i) => ({
      size: i === 0 ? length : size,
      from: strides[outermost + i] as number,
      to: inner[outermost + i] as number,
    }));
    boxes.push({ from, to: at - first, axes });
    at += length * (inner[outermost] ?? 1);
  }
  return boxes;
}

/** The largest box that starts at logical element `at` and ends by `end`. */
function boxAt(
  view: ViewShape,
  inner: readonly number[],
  run: { at: number; end: number },
): { from: number; outermost: number; length: number } {
  let from = 0;
  let rest = run.at;
  let best = { outermost: view.sizes.length, length: 1 };
  for (const [d, size] of view.sizes.entries()) {
    const step = inner[d] as number;
    const index = Math.floor(rest / step);
    rest -= index * step;
    from += index * (view.strides[d] as number);
    const length = Math.min(size - index, Math.floor((run.end - run.at) / step));
    if (best.outermost === view.sizes.length && rest === 0 && length > 0) {
      best = { outermost: d, length };
    }
  }
  return { from, ...best };
}

export interface PlanLimits {
  readonly elementBytes: number;
  /** Bytes that one read may take. */
  readonly windowBytes: number;
  /** What one read costs beside its bytes, in bytes. */
  readonly readCost: number;
}

/**
 * A box read in pieces: axes in order of falling stride; the first `split` are walked index by
 * index, axis `split` in blocks of `block` indices, the rest lies whole in every read.
 */
export interface ReadPlan {
  readonly axes: readonly Axis[];
  readonly split: number;
  readonly block: number;
  readonly cost: number;
}

/** Chooses between few reads that take along unwanted bytes and many reads that do not. */
export function planReads(box: Box, limits: PlanLimits): ReadPlan {
  const axes = [...box.axes].sort((a, b) => b.from - a.from);
  const spans = spansOf(axes);
  let best: ReadPlan | null = null;
  let walked = 1;
  for (let split = 0; split <= axes.length; split++) {
    const plan = planAt(axes, spans, { split, walked, limits });
    if (plan && (!best || plan.cost < best.cost)) best = plan;
    walked *= axes[split]?.size ?? 1;
  }
  // With every axis walked a read is one element, which fits any window.
  return best as ReadPlan;
}

/** Elements from first to last that axes k and later reach, for every k. */
function spansOf(axes: readonly Axis[]): number[] {
  const spans = new Array<number>(axes.length + 1).fill(1);
  for (let k = axes.length - 1; k >= 0; k--) {
    const axis = axes[k] as Axis;
    spans[k] = (spans[k + 1] as number) + (axis.size - 1) * axis.from;
  }
  return spans;
}

function planAt(
  axes: readonly Axis[],
  spans: readonly number[],
  at: { split: number; walked: number; limits: PlanLimits },
): ReadPlan | null {
  const { split, walked, limits } = at;
  const { elementBytes, windowBytes, readCost } = limits;
  const axis = axes[split];
  if (!axis) return { axes, split, block: 1, cost: walked * (elementBytes + readCost) };
  const inner = (spans[split + 1] as number) * elementBytes;
  if (inner > windowBytes) return null;
  const stride = axis.from * elementBytes;
  const fits = stride === 0 ? axis.size : Math.floor((windowBytes - inner) / stride) + 1;
  const block = Math.min(axis.size, fits);
  const reads = Math.ceil(axis.size / block);
  const cost = walked * (reads * (readCost + inner) + (axis.size - reads) * stride);
  return { axes, split, block, cost };
}
