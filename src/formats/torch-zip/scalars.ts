/** The values of many tensors with one element, read together. */
import type { Source } from '../../sources/source.ts';
import { readRanges } from '../coalesced-reads.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { readScalar } from '../scalar-value.ts';

/** The largest element is 16 bytes. */
const largestElement = 16;

interface ScalarRange {
  readonly offset: number;
  readonly length: number;
  readonly tensor: TensorDraft;
}

function rangeOf(tensor: TensorDraft, file: string): ScalarRange[] {
  const { placement } = tensor;
  const [piece, more] = placement.kind === 'dense' ? placement.pieces : [];
  if (!piece || more || piece.file !== file) return [];
  return [{ offset: piece.offset, length: largestElement, tensor }];
}

/** By name; tensors that are no readable scalars are left out. NaN stays NaN. */
export async function readScalars(
  from: { source: Source; file: string; sizeBytes: number },
  tensors: readonly TensorDraft[],
): Promise<Map<string, number>> {
  const { source, file, sizeBytes } = from;
  const values = new Map<string, number>();
  const fetched: TensorDraft[] = tensors.filter((tensor) => {
    return rangeOf(tensor, file).length === 0;
  });
  const ranges = tensors
    .flatMap((tensor) => rangeOf(tensor, file))
    .map((range) => ({ ...range, length: Math.min(range.length, sizeBytes - range.offset) }))
    .sort((a, b) => a.offset - b.offset);
  await readRanges({ source, file }, ranges, ({ tensor }, bytes) => {
    fetched.push({ ...tensor, placement: { kind: 'inline', bytes: bytes.slice() } });
  });
  for (const tensor of fetched) {
    const value = await readScalar(source, tensor);
    if (value !== null) values.set(tensor.name, value);
  }
  return values;
}
