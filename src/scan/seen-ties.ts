/**
 * Ties that nothing declares: a parameter in no optimizer that equals a trained one in the base, bit for
 * bit, is one tensor saved twice. Candidates are found by the first bytes of tensors of one shape.
 */
import type { Ends } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';

/** Elements that two tensors must share at their start to be compared in whole. */
const prefixElements = 64;

/** A tensor smaller than this may equal another by its initial value alone. */
const elementsMin = 256;

export interface TieCandidate {
  /** The tensor in no optimizer … */
  readonly copy: { readonly head: Tensor; readonly base: Tensor };
  /** … and the trained one that it seems to repeat. */
  readonly trained: { readonly head: Tensor; readonly base: Tensor };
}

function complete(ends: Ends): ends is { head: Tensor; base: Tensor } {
  const { head, base } = ends;
  return (
    head !== null &&
    base !== null &&
    head.aliasOf === null &&
    head.elements >= elementsMin &&
    head.placement.kind !== 'absent' &&
    base.placement.kind !== 'absent'
  );
}

/** Type, shape and first bytes; null for a constant start, which says nothing. */
async function keyOf(source: Source, tensor: Tensor): Promise<string | null> {
  const width = { f64: 8, f32: 4, f16: 2, bf16: 2 }[tensor.dtype as string];
  if (width === undefined) return null;
  const into = new Uint8Array(prefixElements * width);
  await readTensorBytes(source, tensor, { first: 0, count: prefixElements, into });
  if (into.every((byte, i) => byte === into[i % width])) return null;
  return `${tensor.dtype} ${tensor.shape.join()} ${Buffer.from(into).toString('base64')}`;
}

/** At most one candidate for each tensor in no optimizer. */
export async function tieCandidates(
  singles: readonly Ends[],
  trained: readonly Ends[],
  base: Source,
): Promise<TieCandidate[]> {
  const loose = singles.filter(complete).filter(({ head }) => head.role === 'parameter');
  if (loose.length === 0) return [];
  const shapes = new Set(loose.map(({ head }) => head.shape.join()));
  const known = new Map<string, { head: Tensor; base: Tensor }>();
  for (const ends of trained.filter(complete)) {
    if (!shapes.has(ends.head.shape.join())) continue;
    const key = await keyOf(base, ends.base);
    if (key !== null && !known.has(key)) known.set(key, ends);
  }
  const found: TieCandidate[] = [];
  for (const copy of known.size === 0 ? [] : loose) {
    const key = await keyOf(base, copy.base);
    const match = key === null ? undefined : known.get(key);
    if (match) found.push({ copy, trained: match });
  }
  return found;
}
