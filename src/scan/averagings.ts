/** What is known of the update of each average between base and head: declared, or told by a sample. */
import type { Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { lawValueAt } from '../engines/reference/decode.ts';
import { type AverageSample, commonShare } from '../laws/average.ts';
import type { Averaging } from '../laws/law.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import type { PairEnds } from './scan.ts';

/** A sample is up to so many stretches, evenly spread, of so many elements. */
const stretchesMost = 64;
const stretchElements = 1024;

interface Averaged {
  readonly before: Tensor;
  readonly after: Tensor;
  readonly weights: Tensor;
}

/** Null where there is no average at both ends, or not in float32. */
function averagedOf({ average, weight, copy }: Unit): Averaged | null {
  const tensors = { before: average.base, after: average.head, weights: weight.head };
  // Of a master with a 16-bit copy nothing says which of both is averaged.
  if (copy) return null;
  for (const tensor of Object.values(tensors)) {
    if (tensor?.dtype !== 'f32' || tensor.placement.kind === 'absent') return null;
    if (tensor.elements !== average.head?.elements) return null;
  }
  return tensors as Averaged;
}

/** First elements of the stretches. */
function stretchesOf(elements: number): number[] {
  const whole = Math.ceil(elements / stretchElements);
  const count = Math.min(whole, stretchesMost);
  return Array.from({ length: count }, (_, i) => Math.floor((i * whole) / count) * stretchElements);
}

async function valuesOf(
  source: Source,
  tensor: Tensor,
  run: { readonly first: number; readonly count: number },
): Promise<Float64Array> {
  const into = new Uint8Array(4 * run.count);
  await readTensorBytes(source, tensor, { ...run, into });
  const view = new DataView(into.buffer);
  return Float64Array.from({ length: run.count }, (_, i) => lawValueAt('f32', view, i));
}

/** Reads a sample of one average at both ends and of its weights: at most 768 KiB. */
async function sampleOf(averaged: Averaged, head: Source, base: Source): Promise<Averaging> {
  const samples: AverageSample[] = [];
  for (const first of stretchesOf(averaged.after.elements)) {
    const run = { first, count: Math.min(stretchElements, averaged.after.elements - first) };
    samples.push({
      before: await valuesOf(base, averaged.before, run),
      after: await valuesOf(head, averaged.after, run),
      weights: await valuesOf(head, averaged.weights, run),
    });
  }
  const share = commonShare(samples);
  return typeof share === 'string' ? { share: null, shareUnknown: share } : { share };
}

/** By unit key; a unit that is missing has no average that can be judged. */
export async function findAveragings(
  units: readonly Unit[],
  { head, base }: PairEnds,
  declaredDecay: number | undefined,
): Promise<Map<string, Averaging>> {
  const found = new Map<string, Averaging>();
  if (!base) return found;
  for (const unit of units) {
    const averaged = averagedOf(unit);
    if (!averaged) continue;
    const share = 1 - (declaredDecay ?? Number.NaN);
    const declared = declaredDecay === undefined ? null : { share: [share, share] as const };
    found.set(unit.key, declared ?? (await sampleOf(averaged, head.source, base.source)));
  }
  return found;
}
