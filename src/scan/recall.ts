/** What need not be read of the base, because a ledger holds what was read of it before. */
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Stream } from '../engines/engine.ts';
import type { Operand } from '../laws/law.ts';
import { type Ledger, ledgerTensorBytes } from '../records/ledger.ts';
import type { SummaryRecord } from '../records/summary.ts';
import type { Streams } from './plan-laws.ts';

/** By operand: a tensor of the base, and its record. */
export type Recalled = Partial<
  Readonly<Record<Operand, { readonly tensor: Tensor; readonly record: SummaryRecord }>>
>;

/** What the ledger holds of these base tensors, where it was of the same size and type. */
export function recall(
  streams: Streams,
  operands: readonly Operand[],
  ledger: Ledger | null,
): Recalled {
  const found: { -readonly [Each in keyof Recalled]: Recalled[Each] } = {};
  for (const operand of ledger ? operands : []) {
    const tensor = streams[operand]?.tensor;
    if (!tensor || tensor.elements * dtypeBits[tensor.dtype] < 8 * ledgerTensorBytes) continue;
    const record = ledger?.recall(tensor.name);
    if (record?.dtype !== tensor.dtype || record.elements !== tensor.elements) continue;
    found[operand] = { tensor, record };
  }
  return found;
}

/** Streams with the digest tables that are known of them. */
export function withDigests(
  streams: Readonly<Partial<Record<Operand, Stream>>>,
  recalled: Recalled,
): Streams {
  const known: Streams = { ...streams };
  for (const [operand, { record }] of Object.entries(recalled)) {
    const stream = streams[operand as Operand];
    if (stream) known[operand as Operand] = { ...stream, digests: record.digests };
  }
  return known;
}
