/** Kernels that screen float32 words find what the reference engine finds, at every scale of numbers. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, Stream } from '../../../src/engines/engine.ts';
import { openReferenceEngine } from '../../../src/engines/reference/reference-engine.ts';
import { openWasmEngine } from '../../../src/engines/wasm/wasm-engine.ts';
import type { BoundLaw, Operand } from '../../../src/laws/law.ts';
import { sweptLaw } from '../../../src/laws/laws.ts';
import { lawContext } from '../../laws/judge-arrays.ts';
import { contextOf, inlineStream, sweepOf } from '../tensors.ts';

const elements = 9 * 1024;

interface Setting {
  readonly seed: number;
  /** Decimal exponents of gradients and of weights. */
  readonly gradient: number;
  readonly weight: number;
  readonly rate: number;
  readonly eps: number;
  /** Steps between base and head. */
  readonly k: number;
  /** How far weights and moments move, against what the laws allow. */
  readonly push: number;
  readonly odd: boolean;
}

/** Products of the screening fall among the subnormal numbers, which are rounded either way. */
const underflowing: Setting = {
  ...{ seed: 2001657004, gradient: -9, weight: -40, rate: 1e-3, eps: 1e-15, k: 1, push: 0.3 },
  odd: false,
};

const settings: fc.Arbitrary<Setting> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  gradient: fc.constantFrom(-24, -19, -15, -9, -5, -2, 0, 6, 15, 18),
  weight: fc.constantFrom(-40, -20, -8, -2, 0, 5, 30),
  rate: fc.constantFrom(0, 1e-12, 1e-6, 1e-3, 0.5),
  eps: fc.constantFrom(1e-15, 1e-8, 1e-3),
  k: fc.constantFrom(1, 2, 10, 500),
  push: fc.constantFrom(0, 1e-3, 0.3, 0.9, 0.999, 1, 1.001, 1.2),
  odd: fc.boolean(),
});

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Moments and weights near what k steps allow: some well inside, some at the bound, few beyond. */
function arraysOf(setting: Setting): Record<string, Float32Array> {
  const { gradient, weight, rate, k, push, odd } = setting;
  const next = random(setting.seed);
  const signed = () => 2 * next() - 1;
  const names = ['wA', 'wB', 'mA', 'mB', 'vA', 'vB'];
  const arrays = Object.fromEntries(names.map((name) => [name, new Float32Array(elements)]));
  const put = (name: string, i: number, value: number) => {
    (arrays[name] as Float32Array)[i] = value;
  };
  const kept = 0.999 ** k;
  for (let i = 0; i < elements; i++) {
    const g = 10 ** gradient * (0.5 + next());
    const vA = g * g * (0.5 + next());
    const mA = g * signed();
    const gained = (1 - kept) * g * g * next();
    const reach = next() < 0.02 ? push : push * next() * 0.7;
    put('vA', i, vA);
    put('vB', i, kept * vA + gained);
    put('mA', i, mA);
    put('mB', i, 0.9 ** k * mA + signed() * reach * Math.sqrt(gained * 10));
    const w = 10 ** weight * signed();
    put('wA', i, w);
    put('wB', i, w + signed() * reach * rate * k);
  }
  if (!odd) return arrays;
  const oddities = [0, -0, 1e-45, -1e-40, 3e38, -3e38, Infinity, -Infinity, Number.NaN, 1e-30];
  for (let i = 0; i < 40; i++) {
    const name = names[Math.floor(next() * names.length)] as string;
    put(name, Math.floor(next() * elements), oddities[i % oddities.length] as number);
  }
  return arrays;
}

function lawsOf({ rate, eps, k }: Setting): BoundLaw[] {
  const context = lawContext({
    ...{ beta1: 0.9, beta2: 0.999, stepBase: 50, stepHead: 50 + k, rates: [rate, rate], eps },
  });
  const bind = (id: string, extra: Record<string, number> = {}) => {
    const binding = sweptLaw(id).bind(context);
    if (binding.kind === 'unknown') return [];
    return [{ law: id, constants: { ...binding.constants, ...extra } }];
  };
  const lines = [0, 1, 2].flatMap((subject) => [
    ...bind('state-progress', { subject }),
    ...bind('no-blank-lines', { subject }),
  ]);
  return [
    ...bind('moment-bound'),
    ...bind('moment-increment'),
    ...bind('bounded-update'),
    ...lines,
  ];
}

function streamsOf(arrays: Record<string, Float32Array>): Partial<Record<Operand, Stream>> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => [
      name,
      inlineStream('f32', new Uint8Array(array.buffer)),
    ]),
  );
}

describe('screening in float32', () => {
  let engine: Engine;
  const reference = openReferenceEngine();
  beforeAll(async () => {
    engine = await openWasmEngine();
  });
  afterAll(() => engine.close());

  it('changes no count and no worst element, whatever the scale', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async (setting) => {
        const sweep = sweepOf(streamsOf(arraysOf(setting)), { laws: lawsOf(setting) });
        const expected = await reference.run(sweep, contextOf());
        expect((await engine.run(sweep, contextOf())).laws).toEqual(expected.laws);
      }),
      { numRuns: 40, seed: 20261121, examples: [[underflowing]] },
    );
  });

  it('judges lines that stand still, in part or in whole', async () => {
    const setting = {
      ...{ seed: 5, gradient: -3, weight: -2, rate: 1e-3, eps: 1e-8, k: 10, push: 0.3, odd: false },
    };
    const arrays = arraysOf(setting);
    for (const [name, from] of [
      ['wB', 'wA'],
      ['mB', 'mA'],
      ['vB', 'vA'],
    ] as const) {
      const [to, source] = [arrays[name] as Float32Array, arrays[from] as Float32Array];
      to.set(source.subarray(160, 176), 160);
      to.set(source.subarray(320, 331), 320);
      to.fill(0, 4096, 4112);
      to.fill(0.25, 5120, 5136);
    }
    const sweep = sweepOf(streamsOf(arrays), { laws: lawsOf(setting) });
    const expected = await reference.run(sweep, contextOf());
    const lines = expected.laws.filter(({ law }) => law === 'state-progress');
    expect(lines.map(({ broken }) => broken > 0)).toEqual([true, true, true]);
    expect((await engine.run(sweep, contextOf())).laws).toEqual(expected.laws);
  });
});
