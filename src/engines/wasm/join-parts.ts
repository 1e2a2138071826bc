/** Joins the parts of one sweep to its result. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { type CopyRecord, emptyCopyRecord, mergeCopyRecord } from '../../records/copy-record.ts';
import { combineCrc } from '../../records/crc-combine.ts';
import { emptyLawRecord, type LawRecord, mergeLawRecord } from '../../records/law-record.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { Stream, Sweep, SweepResult } from '../engine.ts';
import { settleSquares } from '../settle-squares.ts';
import { JoinedMovement } from './join-movement.ts';
import { JoinedSummary } from './join-summaries.ts';
import type { SummaryPart, SweepPart } from './sweep-part.ts';

/** What is measured in a second look at one stream. */
export interface SquaresAbout {
  readonly operand: Operand;
  readonly scale: number;
  readonly centre: number;
}

/** Σ(x · scale − centre)² over the finite elements of a stream, and the bytes read for it. */
export type MeasureStream = (
  about: SquaresAbout,
) => Promise<{ readonly sum: number; readonly bytesRead: number }>;

/** The result of a sweep from all its parts, in order; at least one. */
export async function joinParts(
  sweep: Sweep,
  parts: readonly SweepPart[],
  measure: MeasureStream,
): Promise<SweepResult> {
  const summaries: Partial<Record<Operand, SummaryRecord>> = {};
  let bytesRead = parts.reduce((sum, part) => sum + part.bytesRead, 0);
  const bytesRecalled = parts.reduce((sum, part) => sum + part.bytesRecalled, 0);
  for (const operand of sweep.summaries) {
    const { tensor } = sweep.streams[operand] as Stream;
    const bytes = Math.ceil((tensor.elements * dtypeBits[tensor.dtype]) / 8);
    const joined = new JoinedSummary(tensor.dtype, bytes);
    for (const part of parts) joined.add(part.summaries[operand] as SummaryPart);
    const record = joined.finish();
    await settleSquares(record, async (scale, centre) => {
      const counted = joined.squaresOfCounts(centre);
      if (counted !== null) return counted;
      const measured = await measure({ operand, scale, centre });
      bytesRead += measured.bytesRead;
      return measured.sum;
    });
    summaries[operand] = record;
  }
  return {
    summaries,
    laws: sweep.laws.map(({ law }, i) => joinLaws(law, parts, i)),
    copies: sweep.copies.map((_, i) => joinCopies(parts, i)),
    sha256: parts[0]?.sha256 ?? {},
    movement: joinMovement(sweep, parts),
    crcs: joinCrcs(parts),
    bytesRead,
    ...(bytesRecalled > 0 ? { bytesRecalled } : {}),
    ...(parts.some((part) => part.isBaseAltered) ? { isBaseAltered: true } : {}),
  };
}

function joinLaws(law: string, parts: readonly SweepPart[], i: number): LawRecord {
  const joined = emptyLawRecord(law);
  for (const { laws } of parts) mergeLawRecord(joined, laws[i] as LawRecord);
  return joined;
}

function joinCopies(parts: readonly SweepPart[], i: number): CopyRecord {
  const joined = emptyCopyRecord();
  for (const { copies } of parts) mergeCopyRecord(joined, copies[i] as CopyRecord);
  return joined;
}

function joinMovement(sweep: Sweep, parts: readonly SweepPart[]): SweepResult['movement'] {
  if (!sweep.movement) return null;
  const { rows } = sweep.movement;
  const joined = new JoinedMovement({ elements: sweep.elements, rows });
  for (const { movement } of parts) if (movement) joined.add(movement);
  return joined.finish();
}

function joinCrcs(parts: readonly SweepPart[]): Map<string, number> {
  const joined = new Map<string, number>();
  for (const { crcs } of parts) {
    for (const part of crcs) {
      const { key, kind, value } = part;
      const before = joined.get(key);
      joined.set(key, before === undefined ? value : combineCrc(kind, before, part));
    }
  }
  return joined;
}
