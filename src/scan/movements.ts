/** How weights moved since a reference checkpoint that is not the base of the laws. */
import { alignCheckpoints } from '../checkpoint/align.ts';
import type { Engine, Stream } from '../engines/engine.ts';
import type { Operand } from '../laws/law.ts';
import type { PairRecord } from '../records/pair-record.ts';
import type { Opened } from './scan.ts';

/** Movement records by unit key; weights that the reference does not have are left out. */
export async function measureMovements(
  head: Opened,
  reference: Opened,
  engine: Engine,
): Promise<Map<string, PairRecord>> {
  const movements = new Map<string, PairRecord>();
  const { units } = alignCheckpoints(head.checkpoint, reference.checkpoint);
  for (const unit of units) {
    const { weight, first, second } = unit;
    if (!weight.head || !weight.base || weight.head.placement.kind === 'absent') continue;
    const { elements, shape } = weight.head;
    const streams: Partial<Record<Operand, Stream>> = {
      wA: { tensor: weight.base, origin: 'base' },
      wB: { tensor: weight.head, origin: 'head' },
    };
    if (first.head?.elements === elements) streams.mB = { tensor: first.head, origin: 'head' };
    if (second.head?.elements === elements) streams.vB = { tensor: second.head, origin: 'head' };
    const rows = shape.length > 1 ? (shape[0] as number) : 0;
    const sweep = { elements, streams, summaries: [], laws: [], copies: [], sha256: [] };
    const { movement } = await engine.run(
      { ...sweep, movement: { rows, inherited: 0 } },
      {
        sources: { head: head.source, base: reference.source },
        checksums: { head: [], base: [] },
      },
    );
    if (movement) movements.set(unit.key, movement);
  }
  return movements;
}
