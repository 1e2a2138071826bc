/** What a first moment must have kept of the gradient that lifted its second moment. */
import { expect, it } from 'vitest';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import { cancelledBits, type Growth } from '../../src/suspicions/unbacked-growth.ts';
import { wordAt } from '../engines/seeded.ts';
import { recordOf, tensorOf } from './small-tensor.ts';

const betas = [
  [0.9, 0.999],
  [0.8, 0.95],
  [0.95, 0.98],
  [0.5, 0.9999],
] as const;

/** Between −1 and 1, from a seed and a place. */
function noise(seed: number, i: number): number {
  return wordAt(seed, i) / 2 ** 31 - 1;
}

/** Adam's moments in float32 over `steps` gradients, one of which may be a giant. */
function trained(trial: number): Growth {
  const [beta1, beta2] = betas[trial % betas.length] as readonly [number, number];
  const steps = 1 + (wordAt(trial, 1) % 40);
  const giant = wordAt(trial, 2) % steps;
  const size = 2 ** (wordAt(trial, 3) % 60);
  let m = Math.fround(noise(trial, 4));
  let v = Math.fround(m * m);
  const [mBase, vBase] = [m, v];
  for (let step = 0; step < steps; step++) {
    const g = Math.fround(noise(trial, 10 + step) * (step === giant ? size : 1));
    m = Math.fround(Math.fround(beta1 * m) + Math.fround((1 - beta1) * g));
    v = Math.fround(Math.fround(beta2 * v) + Math.fround((1 - beta2) * g * g));
  }
  const hulls = { beta1: [beta1, beta1], beta2: [beta2, beta2] } as const;
  return { element: 7, mBase, vBase, mHead: m, vHead: v, steps, ...hulls };
}

it('finds in healthy moments no more bits than chance gives', () => {
  const trials = 40_000;
  const each = Array.from({ length: trials }, (_, trial) => cancelledBits(trained(trial)));
  // Not a number: the second moment shrank.
  const found = each.filter((bits) => !Number.isNaN(bits));
  expect(found.length).toBeGreaterThan(trials / 2);
  // 2^-b of the trials may have b bits.
  for (const bits of [2, 4, 6, 8, 10]) {
    const share = found.filter((each) => each >= bits).length / trials;
    expect(share, `${bits} bits`).toBeLessThanOrEqual(2 ** -bits + 3 / trials);
  }
  expect(Math.max(...found)).toBeLessThan(20);
});

it('finds many bits where the highest exponent bit of v was flipped', () => {
  const word = new Float32Array(1);
  const bits = new Uint32Array(word.buffer);
  for (let trial = 0; trial < 1000; trial++) {
    const growth = trained(trial);
    word[0] = growth.vHead;
    if (growth.vHead >= 1 || growth.vHead < 1e-30) continue;
    bits[0] = (bits[0] as number) ^ (1 << 30);
    const steep = growth.beta1[0] ** growth.steps < 1e-3;
    const least = steep ? 20 : 45;
    expect(cancelledBits({ ...growth, vHead: word[0] })).toBeGreaterThan(least);
  }
});

it('warns of the element, and not where a gradient explains it or nothing is known', () => {
  const flipped: Growth = {
    ...{ element: 7, mBase: 1e-4, mHead: 2e-4, vBase: 1e-8, vHead: 3.4e30 },
    ...{ beta1: [0.9, 0.9], beta2: [0.999, 0.999], steps: 10 },
  };
  const rules = (growth: Growth | null, max1 = 2 ** 64) => {
    const second = tensorOf('v', 'second', { record: recordOf({ max1 }), growth });
    return judgeValidation(emptyRunMemory(), { step: 1, beta1: 0.9, tensors: [second] }).findings;
  };
  const [finding] = rules(flipped);
  expect(finding).toMatchObject({ rule: 'unbacked-growth', severity: 'warning', element: 7 });
  expect(rules({ ...flipped, mHead: 1e14 }).map(({ rule }) => rule)).toEqual(['lone-giant']);
  // β₁^(k−1) leaves nothing of a gradient that was long ago.
  expect(rules({ ...flipped, steps: 20_000 }).map(({ rule }) => rule)).toEqual(['lone-giant']);
  expect(rules({ ...flipped, beta2: [1, 1], vBase: 4e30 }).map(({ rule }) => rule)).toEqual([
    'lone-giant',
  ]);
  expect(rules(null).map(({ rule }) => rule)).toEqual(['lone-giant']);
});
