/** factor-balance over a checkpoint: pairs of factors by the keys that optimizers store them under. */
import type { Alignment } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { factorBalanceSides } from '../laws/factor-balance.ts';
import type { Sides } from '../laws/law.ts';
import { meanOf, nonFiniteCount, type SummaryRecord } from '../records/summary.ts';
import type { CoverageTally } from './coverage.ts';

/** Row and column keys of torch's, and of transformers' and timm's Adafactor. */
const factorKeys = [
  ['row_var', 'col_var'],
  ['exp_avg_sq_row', 'exp_avg_sq_col'],
] as const;

export interface FactorOutcome {
  readonly tensor: Tensor;
  readonly parameter: string | null;
  readonly sides: Sides;
}

/** Judges every pair of factors of an optimizer that proved to be Adafactor. */
export function judgeFactors(
  alignment: Alignment,
  tensors: readonly Tensor[],
  summaries: ReadonlyMap<string, SummaryRecord>,
  coverage: CoverageTally,
): FactorOutcome[] {
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const outcomes: FactorOutcome[] = [];
  for (const { head } of alignment.units) {
    if (head.optimizer.kind !== 'adafactor') continue;
    for (const [rowKey, columnKey] of factorKeys) {
      const tensor = named.get(head.state.tensors[rowKey] ?? '');
      const row = summaries.get(head.state.tensors[rowKey] ?? '');
      const column = summaries.get(head.state.tensors[columnKey] ?? '');
      if (!tensor || !row || !column) continue;
      const elements = row.elements + column.elements;
      if (nonFiniteCount(row) + nonFiniteCount(column) > 0) {
        coverage.unknown('factor-balance', elements, 'not-finite');
        continue;
      }
      coverage.judged('factor-balance', elements);
      const sides = factorBalanceSides(meanOf(row), meanOf(column));
      outcomes.push({ tensor, parameter: head.state.parameter, sides });
    }
  }
  return outcomes;
}
