/** Each rank's own table of slices against the order of the parameters. */
import type { Problem } from '../../checkpoint/problem.ts';
import { type FlatParameter, layInShares, type SharedVector, SliceBudget } from './flat-layout.ts';
import type { RankShare } from './rank-share.ts';
import type { Shape, ShapeTable } from './stored-values.ts';

type Shares = ReadonlyMap<number, RankShare>;

/** The first parameter that a rank's table places elsewhere, by rank. */
type Contradictions = ReadonlyMap<number, { readonly share: RankShare; readonly name: string }>;

/**
 * The tables must say the same as the layout. With `round_robin_gradients` DeepSpeed writes them for
 * the order before the parameters were dealt out: then the layout is right, and that is said.
 */
export function tableProblems(
  vector: SharedVector,
  parameters: readonly FlatParameter[],
  shares: Shares,
): Problem[] {
  const found = contradictions(parameters, vector.flat, shares);
  const [first] = found.values();
  if (!first) return [];
  if (isBeforeDealing(vector, shares)) {
    const message =
      'its table of slices is that of the order before round_robin_gradients: the order of ' +
      'parameters was taken';
    return [{ rule: 'note', kind: 'info', file: first.share.file, message }];
  }
  return [...found.values()].map(({ share, name }) => {
    const message = `its table of slices places ${name} elsewhere than the order of parameters does`;
    return { rule: 'header-invalid', kind: 'damage', file: share.file, message };
  });
}

function contradictions(
  parameters: readonly FlatParameter[],
  flat: number,
  shares: Shares,
): Contradictions {
  const found = new Map<number, { share: RankShare; name: string }>();
  const counts = new Map<number, number>();
  for (const { name, slices } of parameters) {
    for (const { rank, start, elements } of slices) {
      const share = shares.get(rank);
      const table = share?.fragments?.[flat];
      if (!share || !table) continue;
      counts.set(rank, (counts.get(rank) ?? 0) + 1);
      const own = table.get(name);
      const agrees = own?.start === start && own.elements === elements;
      if (!agrees && !found.has(rank)) found.set(rank, { share, name });
    }
  }
  for (const [rank, share] of shares) {
    const table = share.fragments?.[flat];
    const listed = [...(table?.values() ?? [])].filter(({ elements }) => elements > 0).length;
    const isListed = !table || listed === (counts.get(rank) ?? 0);
    if (!isListed && !found.has(rank)) found.set(rank, { share, name: 'a parameter' });
  }
  return found;
}

/** The tables tile the vector in an order that, dealt out to the ranks, is that of the parameters. */
function isBeforeDealing(vector: SharedVector, shares: Shares): boolean {
  const { shapes, ranks } = vector;
  const before = orderInTables(vector, shares);
  if (before.size !== shapes.size) return false;
  const names = [...before.keys()];
  const dealt = names.map((_name, i) => i % ranks);
  const order = names
    .map((_name, i) => i)
    .sort((a, b) => {
      return (dealt[a] as number) - (dealt[b] as number) || a - b;
    });
  const after = [...shapes.keys()];
  if (!order.every((from, i) => names[from] === after[i])) return false;
  const { parameters } = layInShares({ ...vector, shapes: before, gaps: null }, new SliceBudget());
  return contradictions(parameters, vector.flat, shares).size === 0;
}

function orderInTables({ flat, shapes, partition }: SharedVector, shares: Shares): ShapeTable {
  const starts = new Map<string, { first: number; shape: Shape }>();
  for (const [rank, { fragments }] of shares) {
    for (const [name, { start, elements }] of fragments?.[flat] ?? []) {
      const shape = shapes.get(name);
      if (!shape || elements === 0) continue;
      const first = Math.min(starts.get(name)?.first ?? Infinity, rank * partition + start);
      starts.set(name, { first, shape });
    }
  }
  const sorted = [...starts].sort(([, a], [, b]) => a.first - b.first);
  return new Map(sorted.map(([name, { shape }]) => [name, shape]));
}
