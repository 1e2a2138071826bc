import { describe, expect, it } from 'vitest';
import { matchInOrder } from '../../../src/formats/optimizer-state/order-match.ts';
import { matchByShape } from '../../../src/formats/optimizer-state/shape-match.ts';
import { randomBelow } from '../../engines/seeded.ts';

type Shape = readonly number[];

/** All ways to lay slots over candidates in order, by trying. */
function allWays(slots: readonly (Shape | null)[], candidates: readonly Shape[]): number[][] {
  if (slots.length === 0) return [[]];
  const [slot = null, ...rest] = slots;
  return candidates.flatMap((candidate, place) => {
    if (slot !== null && String(slot) !== String(candidate)) return [];
    const later = allWays(rest, candidates.slice(place + 1));
    return later.map((way) => [place, ...way.map((p) => p + place + 1)]);
  });
}

describe('laying slots over a model in order', () => {
  it('finds what trying every way finds, for 2,000 seeded problems', () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 2000; seed += 1) {
      const shape = (i: number): Shape => [1 + randomBelow(3, seed, i)];
      const candidates = Array.from({ length: 6 }, (_, i) => shape(i));
      const length = 1 + randomBelow(5, seed, 10);
      const slots = Array.from({ length }, (_, i) => {
        return randomBelow(5, seed, 30 + i) === 0 ? null : shape(20 + i);
      });
      const ways = allWays(slots, candidates);
      const expected = slots.map((_, i) => {
        const places = new Set(ways.map((way) => way[i]));
        return places.size === 1 ? ways[0]?.[i] : null;
      });
      const match = matchInOrder(slots, candidates);
      if (ways.length === 0) expect(match, `seed ${seed}`).toBeNull();
      else expect(match?.found, `seed ${seed}`).toEqual(expected);
      kinds.add(match === null ? 'none' : match.found.includes(null) ? 'some' : 'all');
    }
    expect([...kinds].sort()).toEqual(['all', 'none', 'some']);
  });

  it('is quick where nothing fits and nothing is told apart', () => {
    const many: Shape[] = Array.from({ length: 100_000 }, () => [4]);
    expect(matchInOrder(many.slice(1), many)?.found.every((place) => place === null)).toBe(true);
    expect(matchInOrder([...many, [5]], many)).toBeNull();
  });
});

describe('shapes alone', () => {
  const slot = (shape: Shape | null, group = 0) => ({ shape, group });
  const named = (name: string, shape: Shape) => ({ name, shape });

  it('name what has a shape of its own', () => {
    const found = matchByShape(
      [slot([3, 2]), slot([2, 3]), slot([3], 1)],
      [named('b', [3]), named('a', [2, 3]), named('c', [3, 2])],
    );
    expect(found).toEqual(['c', 'a', 'b']);
  });

  it('say nothing where two could be meant', () => {
    const both = [named('q', [4, 4]), named('o', [4, 4])];
    expect(matchByShape([slot([4, 4]), slot([4, 4])], both)).toEqual([null, null]);
  });

  it('say nothing where one of several is left out of the optimizer', () => {
    const layers = [named('layers.0.w', [4]), named('layers.1.w', [4])];
    expect(matchByShape([slot([4])], layers)).toEqual([null]);
    expect(matchByShape([slot([4]), slot(null)], layers)).toEqual([null, null]);
  });

  it('order the layers of one list by their number', () => {
    const layers = ['10', '9', '2'].map((n) => named(`h.${n}.mlp.weight`, [4, 8]));
    expect(matchByShape([slot([4, 8]), slot([4, 8]), slot([4, 8])], layers)).toEqual([
      'h.2.mlp.weight',
      'h.9.mlp.weight',
      'h.10.mlp.weight',
    ]);
  });

  it('do not order layers across groups, or by two numbers at once', () => {
    const layers = [named('h.0.w', [4]), named('h.1.w', [4])];
    expect(matchByShape([slot([4], 0), slot([4], 1)], layers)).toEqual([null, null]);
    const grid = [named('h.0.1.w', [4]), named('h.1.0.w', [4])];
    expect(matchByShape([slot([4]), slot([4])], grid)).toEqual([null, null]);
  });
});
