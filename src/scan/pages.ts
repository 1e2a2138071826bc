/** no-repeated-pages on one sweep: digests find candidates, bytes decide. */
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Stream, SweepResult } from '../engines/engine.ts';
import { type RepeatedPage, repeatedPages } from '../laws/repeated-pages.ts';
import { digestBytes } from '../records/grid.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import type { Plan } from './plan.ts';

export interface PageOutcome {
  readonly tensor: Tensor;
  /** Whole pages compared. */
  readonly pages: number;
  readonly elementsPerPage: number;
  readonly repeated: readonly RepeatedPage[];
}

const compared = [
  ['wA', 'wB'],
  ['mA', 'mB'],
  ['vA', 'vB'],
  ['bA', 'bB'],
] as const;

function bytesOf(tensor: Tensor): number | null {
  const width = { f32: 4, f64: 8, f16: 2, bf16: 2 }[tensor.dtype as 'f32' | 'f64' | 'f16' | 'bf16'];
  return width ?? null;
}

function wholePages(tensor: Tensor): number {
  const width = bytesOf(tensor);
  return width === null ? 0 : Math.floor((tensor.elements * width) / digestBytes);
}

function isConstant(page: Uint8Array, width: number): boolean {
  return page.every((byte, i) => byte === page[i % width]);
}

/** Reads both pages: equal and not constant. */
async function isRepeated(
  stream: Stream,
  source: Source,
  { page, of }: RepeatedPage,
): Promise<boolean> {
  const width = bytesOf(stream.tensor) as number;
  const per = digestBytes / width;
  const [one, other] = [new Uint8Array(digestBytes), new Uint8Array(digestBytes)];
  await readTensorBytes(source, stream.tensor, { first: page * per, count: per, into: one });
  await readTensorBytes(source, stream.tensor, { first: of * per, count: per, into: other });
  return !isConstant(one, width) && one.every((byte, i) => byte === other[i]);
}

/** Compares the digest tables of every tensor of a sweep that are known at both ends. */
export async function comparePages(
  { sweep, recalled }: Plan,
  result: SweepResult,
  source: Source,
): Promise<PageOutcome[]> {
  const outcomes: PageOutcome[] = [];
  for (const [base, head] of compared) {
    const before = result.summaries[base] ?? recalled?.[base]?.record;
    const after = result.summaries[head];
    const stream = sweep.streams[head];
    if (!before || !after || !stream) continue;
    const pages = wholePages(stream.tensor);
    if (pages < 2) continue;
    const repeated: RepeatedPage[] = [];
    for (const pair of repeatedPages(before.digests, after.digests, pages)) {
      if (await isRepeated(stream, source, pair)) repeated.push(pair);
    }
    const elementsPerPage = digestBytes / (bytesOf(stream.tensor) as number);
    outcomes.push({ tensor: stream.tensor, pages, elementsPerPage, repeated });
  }
  return outcomes;
}
