/** uneven-update: one row, or one stretch of 1,024 weights, changed far more than the others. */
import { blockElements } from '../records/grid.ts';
import { type Line, type Locate, nowhere, octaves, type StatisticalRule } from './suspicion.ts';

const shared = { group: 'weight', kind: 'excess', alone: false, calm: false } as const;

const lines: readonly Line[] = [
  {
    id: 'weight.deltaRowPeak',
    statistic: 'deltaRowPeak',
    ceiling: 'deltaRowTop',
    ...shared,
    floor: 0.6,
    octavesPerBit: 0.5,
  },
  {
    id: 'weight.deltaBlockPeak',
    statistic: 'deltaBlockPeak',
    ceiling: 'deltaBlockTop',
    ...shared,
    floor: 0.4,
    octavesPerBit: 0.4,
  },
];

/** Index of the largest entry, the first of equals; −1 of none. */
function indexOfLargest(table: Float64Array): number {
  let best = -1;
  for (let i = 0; i < table.length; i++) {
    if (best < 0 || (table[i] as number) > (table[best] as number)) best = i;
  }
  return best;
}

const brightestRow: Locate = (record, pair, rows) => {
  const row = pair && rows > 0 ? indexOfLargest(pair.rowEnergy) : -1;
  return row < 0 ? null : row * Math.floor(record.elements / rows);
};

const brightestBlock: Locate = (_record, pair) => {
  const block = pair ? indexOfLargest(pair.blockEnergy) : -1;
  return block < 0 ? null : block * blockElements;
};

/** Rows and blocks; bad tiles are not aligned to a grid of their own. */
export const unevenUpdate: StatisticalRule = {
  id: 'uneven-update',
  title: 'One row or 4 KiB of a weight changed far more than the others',
  family: 'statistics',
  statement:
    'Half of log2 of largest over median ΣΔ² of rows (of blocks of 1,024), against the most of ' +
    'the last 12 checkpoints, and no more than the largest itself passes its own last 12.',
  means: 'The damage has the shape of a row or of a memory page.',
  catches: 'Copied or zeroed pages, swapped rows, bad tiles of a matrix product.',
  quiet:
    'Dead rows (they are low, not high; where most rows die the median falls and nothing rises) ' +
    'and rows of rare tokens (in the history). Moments are ' +
    'not judged: a token that appears once lifts one embedding row 13 octaves.',
  needs: '5 earlier checkpoints at like distances; 4 rows, or 2 blocks',
  cost: 'none beside the pair pass',
  lines,
  locate: ({ statistic }) => {
    if (statistic === 'deltaRowPeak') return brightestRow;
    return statistic === 'deltaBlockPeak' ? brightestBlock : nowhere;
  },
  explain: ({ line, value, reference }) => {
    const part = line.statistic === 'deltaRowPeak' ? 'row' : 'stretch of 1,024 weights';
    return (
      `one ${part} changed ${octaves(value)} more than the middle one; ` +
      `it was never more than ${octaves(reference)} in the checkpoints before`
    );
  },
};
