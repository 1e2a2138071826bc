/** Reads runs of views; what one run alone would fetch dearly is fetched with its neighbours and kept. */
import assert from 'node:assert/strict';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Placement, Tensor } from '../checkpoint/tensor.ts';
import { toLogicalBytes } from './element-bytes.ts';
import type { Source } from './source.ts';
import { gather, gatherCost, type StridedFile } from './strided-gather.ts';
import { mergeDimensions } from './strided-plan.ts';

export interface StridedTensor {
  readonly tensor: Tensor;
  readonly placement: Extract<Placement, { kind: 'strided' }>;
}

interface Run {
  readonly first: number;
  readonly count: number;
  readonly into: Uint8Array;
}

/** A run that costs more than this many times its bytes is fetched with its neighbours… */
const dearFactor = 4;

/** … unless it is so short that nobody is sweeping the tensor. */
const shortRunBytes = 64 * 1024;

/** Bytes fetched at once where one run alone would be dear, as in a transposed matrix. */
const panelBytes = 8 * 1024 * 1024;

/** Panels kept a source: weights and up to three states that are read side by side. */
const panelsKept = 4;

interface Panel {
  readonly tensor: Tensor;
  readonly first: number;
  readonly bytes: Uint8Array;
}

const panels = new WeakMap<Source, Panel[]>();

/** Fills `run.into` with the run's logical bytes; returns the bytes read. Elements must be whole bytes. */
export async function readStrided(source: Source, view: StridedTensor, run: Run): Promise<number> {
  const from = stridedFile(source, view);
  const { sizes, strides } = from.view;
  if (sizes.length === 0 || (sizes.length === 1 && strides[0] === 1)) {
    const start = run.first * from.elementBytes;
    assert(start + run.into.length <= from.extentBytes, 'a view leaves its bytes');
    await source.read(from.file, from.offset + start, run.into);
    asLogical(run.into, view);
    return run.into.length;
  }
  if (wantsPanel(from, view.tensor, run)) return copyFromPanels(from, view, run);
  // The gather needs aligned bytes; the caller's need not be.
  const bytes = new Uint8Array(run.into.length);
  const bytesRead = await gather(from, run.first, bytes);
  asLogical(bytes, view);
  run.into.set(bytes);
  return bytesRead;
}

function wantsPanel(from: StridedFile, tensor: Tensor, run: Run): boolean {
  if (takePanel(from.source, tensor, run.first)) return true;
  if (run.into.length < shortRunBytes) return false;
  return gatherCost(from, run.first, run.count) > dearFactor * run.into.length;
}

async function copyFromPanels(from: StridedFile, view: StridedTensor, run: Run): Promise<number> {
  const { tensor } = view;
  const size = panelElements(from);
  let bytesRead = 0;
  for (let done = 0; done < run.count; ) {
    const at = run.first + done;
    let panel = takePanel(from.source, tensor, at);
    if (!panel) {
      const first = at - (at % size);
      const count = Math.min(size, tensor.elements - first);
      const bytes = new Uint8Array(count * from.elementBytes);
      bytesRead += await gather(from, first, bytes);
      asLogical(bytes, view);
      panel = { tensor, first, bytes };
    }
    keepPanel(from.source, panel);
    const start = (at - panel.first) * from.elementBytes;
    const part = panel.bytes.subarray(start, start + (run.count - done) * from.elementBytes);
    run.into.set(part, done * from.elementBytes);
    done += part.length / from.elementBytes;
  }
  return bytesRead;
}

/** Whole rows, so that no panel begins or ends with a part of one. */
function panelElements({ view, elementBytes }: StridedFile): number {
  const most = panelBytes / elementBytes;
  let row = 1;
  for (let d = view.sizes.length - 1; d >= 0; d--) {
    const next = row * (view.sizes[d] as number);
    if (next > most) break;
    row = next;
  }
  return most - (most % row);
}

/** The panel that holds element `at`, where it was kept. */
function takePanel(source: Source, tensor: Tensor, at: number): Panel | undefined {
  const own = panels.get(source)?.find((panel) => panel.tensor === tensor);
  if (!own) return undefined;
  const offset = (at - own.first) * (dtypeBits[tensor.dtype] / 8);
  return offset >= 0 && offset < own.bytes.length ? own : undefined;
}

/** Most recently used last; one panel a tensor, because tensors are read forwards. */
function keepPanel(source: Source, panel: Panel): void {
  const others = (panels.get(source) ?? []).filter((other) => other.tensor !== panel.tensor);
  panels.set(source, [...others, panel].slice(-panelsKept));
}

function stridedFile(source: Source, { tensor, placement }: StridedTensor): StridedFile {
  const { file, offset, extentBytes } = placement;
  const elementBytes = dtypeBits[tensor.dtype] / 8;
  assert(Number.isInteger(elementBytes), `views of ${tensor.dtype} are read whole or not at all`);
  const view = mergeDimensions(tensor.shape, placement.strides);
  return { source, file, offset, extentBytes, elementBytes, view };
}

function asLogical(bytes: Uint8Array, { tensor, placement }: StridedTensor): void {
  const { bigEndian = false, lazy = null } = placement;
  toLogicalBytes(bytes, { dtype: tensor.dtype, bigEndian, lazy });
}
