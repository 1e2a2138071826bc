/** The share that one update of an average took: told by its elements, by no guess. */
import { describe, expect, it } from 'vitest';
import { commonShare } from '../../src/laws/average.ts';
import { averageBetween } from '../../src/laws/average-between.ts';
import { replayAverage } from '../../src/laws/replay-average.ts';
import { wordAt } from '../engines/seeded.ts';
import { lawContext } from './judge-arrays.ts';

const f = Math.fround;

interface Update {
  readonly before: number[];
  readonly after: number[];
  readonly weights: number[];
  readonly earlier: number[];
}

function uniform(seed: number, i: number): number {
  return wordAt(seed, i) / 2 ** 31 - 1;
}

/** One float32 update as torch's lerp and as timm's and torch_ema's scripts write it. */
const orders: readonly ((e: number, w: number, d: number) => number)[] = [
  (e, w, d) => f(e + f(f(1 - d) * f(w - e))),
  (e, w, d) => f(f(f(d) * e) + f(f(1 - d) * w)),
  (e, w, d) => f(e - f(f(1 - d) * f(e - w))),
];

function update(decay: number, elements: number, seed: number): Update {
  const order = orders[seed % orders.length] as (typeof orders)[number];
  const index = Array.from({ length: elements }, (_, i) => i);
  const earlier = index.map((i) => f(uniform(seed, i)));
  const weights = earlier.map((w, i) => f(w + 1e-3 * uniform(seed + 1, i)));
  const before = earlier.map((w, i) => f(w + 1e-2 * uniform(seed + 2, i)));
  const after = before.map((e, i) => order(e, weights[i] as number, decay));
  return { before, after, weights, earlier };
}

const decays = [0.5, 0.9, 0.99, 0.999, 0.9999];

describe('the share that one update took', () => {
  it.each(decays)('is found where every element took it, decay %d in every order', (decay) => {
    for (let seed = 0; seed < 30; seed++) {
      const share = commonShare([update(decay, 400, seed)]);
      if (typeof share === 'string') {
        // An update below the last bits tells nothing.
        expect([share, decay]).toEqual(['too few elements tell the decay of the average', 0.9999]);
        continue;
      }
      expect(share[0]).toBeLessThanOrEqual(1 - decay);
      expect(share[1]).toBeGreaterThanOrEqual(1 - decay);
      expect(share[1] - share[0]).toBeLessThan(0.1 * (1 - decay));
    }
  });

  it('is the same with one element damaged, and whatever the order and cut of the sample', () => {
    const whole = update(0.99, 2000, 4);
    const healthy = commonShare([whole]);
    whole.after[77] = -3;
    expect(commonShare([whole])).toEqual(healthy);
    const cut = (from: number, to: number) => ({
      before: whole.before.slice(from, to),
      after: whole.after.slice(from, to),
      weights: whole.weights.slice(from, to),
    });
    expect(commonShare([cut(900, 2000), cut(0, 900)])).toEqual(healthy);
  });

  it('is unknown where too few elements tell it', () => {
    const few = 'too few elements tell the decay of the average';
    expect(commonShare([])).toBe(few);
    expect(typeof commonShare([update(0.9, 64, 1)])).toBe('object');
    expect(commonShare([update(0.9, 63, 1)])).toBe(few);
    const still = update(0.9, 400, 1);
    expect(commonShare([{ ...still, after: still.before }])).toBe(few);
    expect(commonShare([{ ...still, after: still.before.map(() => Number.NaN) }])).toBe(few);
  });

  it('is unknown where the average follows something else', () => {
    const none = 'no single decay explains the average';
    const right = update(0.9, 1000, 3);
    // Averaged before the step: the weights are those of the base.
    const early = right.before.map((e, i) => f(e + 0.1 * ((right.earlier[i] as number) - e)));
    expect(commonShare([{ ...right, after: early }])).toBe(none);
    const mixed = right.before.map((e, i) =>
      f(e + (i % 20 ? 0.1 : 0.2) * ((right.weights[i] as number) - e)),
    );
    expect(commonShare([{ ...right, after: mixed }])).toBe(none);
    expect(commonShare([{ ...right, weights: update(0.9, 1000, 8).weights }])).toBe(none);
  });
});

describe("'replay-average' and 'average-between' on healthy updates", () => {
  const context = (share: readonly [number, number] | null) =>
    lawContext({
      stepBase: 3,
      stepHead: 4,
      averaging: share ? { share } : { share: null, shareUnknown: 'unknown here' },
    });

  it('hold for every decay, order and size, with the decay declared or told', () => {
    for (const decay of [0, ...decays, 1]) {
      for (let seed = 0; seed < 30; seed++) {
        const { before, after, weights, earlier } = update(decay, 300, seed);
        const told = commonShare([{ before, after, weights }]);
        const declared = [1 - decay, 1 - decay] as const;
        for (const share of typeof told === 'string' ? [declared] : [declared, told]) {
          const binding = replayAverage.bind(context(share));
          if (binding.kind === 'unknown') throw new Error(binding.reason);
          const { constants } = binding;
          const broken = after.filter((e, i) => {
            const values = [before[i] as number, e, weights[i] as number];
            const { left, right } = replayAverage.sides(values, constants);
            return !(left <= right);
          });
          expect(broken).toEqual([]);
        }
        const hull = averageBetween.bind(context(null));
        if (hull.kind === 'unknown') throw new Error(hull.reason);
        const outside = after.filter((e, i) => {
          const values = [before[i] as number, e, earlier[i] as number, weights[i] as number];
          const { left, right } = averageBetween.sides(values, hull.constants);
          return !(left <= right);
        });
        expect(outside).toEqual([]);
      }
    }
  });

  it('cannot tell over more steps than one, without a share, or without float32', () => {
    const known = context([0.1, 0.1]);
    const refused = [
      replayAverage.bind(context(null)),
      replayAverage.bind({ ...known, stepHead: 5 }),
      averageBetween.bind({ ...known, stepHead: 5 }),
      averageBetween.bind({ ...known, averaging: null }),
    ];
    expect(refused.map((each) => (each.kind === 'unknown' ? each.reason : null))).toEqual([
      'unknown here',
      'more than one step between the checkpoints',
      'more than one step between the checkpoints',
      'averages are judged in float32 alone',
    ]);
  });
});
