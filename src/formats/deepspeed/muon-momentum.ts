/**
 * Muon's momentum under ZeRO 1 and 2. The update needs whole matrices: each rank keeps the momentum
 * of every parameter that it holds a part of, whole, one after the other.
 */
import type { RawOptimizer } from '../optimizer-state/raw-optimizer.ts';
import type { FlatParameter, Slice } from './flat-layout.ts';

const momentumKey = 'momentum_buffer';

/** True for a vector of state that holds whole parameters, and no share. */
export function isOfWholes({ groups }: RawOptimizer, flat: number, key: string): boolean {
  if (key !== momentumKey) return false;
  const group = groups.find(({ ids }) => ids.includes(String(flat)));
  return group?.hyper.get('use_muon') === true;
}

/** Where each parameter lies whole: with the first of its ranks, all of which have the same. */
export function wholeSlices(parameters: readonly FlatParameter[]): ReadonlyMap<string, Slice> {
  const ends = new Map<string, number>();
  const wholes = new Map<string, Slice>();
  for (const { name, flat, elements, slices } of parameters) {
    for (const rank of new Set(slices.map((slice) => slice.rank))) {
      const place = `${flat}:${rank}`;
      const start = ends.get(place) ?? 0;
      ends.set(place, start + elements);
      if (!wholes.has(name)) wholes.set(name, { rank, flat, start, elements });
    }
  }
  return wholes;
}
