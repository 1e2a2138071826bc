/**
 * Vectors of experts: fewer ranks share one than there are, and what others have under the same names
 * are other experts. `param_shapes` knows those of rank 0 alone, and numbers them within the rank.
 */
import type { RankShare } from './rank-share.ts';
import type { ShapeTable } from './stored-values.ts';

/** Ranks that share one vector, by their place in it. */
export interface VectorRanks {
  readonly shares: ReadonlyMap<number, RankShare>;
  /** Ranks that must be there. */
  readonly count: number;
  rankOf(place: number): number;
  /** The name of a parameter that the table of shapes calls `name`; null: it has none. */
  nameOf(name: string): string | null;
}

const localExpert = /^(.*\.deepspeed_moe\.experts\.deepspeed_experts\.)([0-9]{1,6})(\..+)$/;

/** Experts that a rank has of each layer. */
function localCounts(table: ShapeTable): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of table.keys()) {
    const [, layer, number] = localExpert.exec(name) ?? [];
    if (layer === undefined) continue;
    counts.set(layer, Math.max(counts.get(layer) ?? 0, Number(number) + 1));
  }
  return counts;
}

/**
 * Who shares a vector with whom: ranks that have the same experts are as far apart as there are sets
 * of them, or side by side (`use_data_before_expert_parallelism`). Sets without any file are left out:
 * how many there are is only what a file says.
 */
export function expertRanks(
  shares: ReadonlyMap<number, RankShare>,
  { ranks, count, table }: { ranks: number; count: number; table: ShapeTable },
  order: 'apart' | 'beside',
): readonly VectorRanks[] {
  const sets = ranks / count;
  const counts = localCounts(table);
  const bySet = new Map<number, Map<number, RankShare>>();
  for (const [rank, share] of shares) {
    if (rank >= ranks) continue;
    const [set, place] =
      order === 'apart'
        ? [rank % sets, Math.floor(rank / sets)]
        : [Math.floor(rank / count), rank % count];
    const members = bySet.get(set) ?? new Map<number, RankShare>();
    bySet.set(set, members.set(place, share));
  }
  return [...bySet].map(([set, members]) => ({
    shares: members,
    count,
    rankOf: (place) => (order === 'apart' ? place * sets + set : set * count + place),
    nameOf: (name) => {
      const [, layer = '', number, rest] = localExpert.exec(name) ?? [];
      if (rest === undefined) return set === 0 ? name : null;
      return `${layer}${set * (counts.get(layer) ?? 0) + Number(number)}${rest}`;
    },
  }));
}
