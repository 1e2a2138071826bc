/** Healthy look-alikes of what the exact rules catch, and the guards that tell them apart. */
import { describe, expect, it } from 'vitest';
import { exactState, foldDigests } from '../../src/suspicions/exact-state.ts';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import type { JudgedTensor } from '../../src/suspicions/validation.ts';
import { mayUnderflow } from '../../src/suspicions/weigh-exact.ts';
import { type Figures, recordOf, tensorOf } from './small-tensor.ts';

/** Rules that speak of a tensor after it was seen once. */
function rulesOf(before: JudgedTensor, now: JudgedTensor, beta1: number | null = 0.9): string[] {
  const seen = judgeValidation(emptyRunMemory(), { step: 100, beta1, tensors: [before] });
  const judged = judgeValidation(seen.memory, { step: 110, beta1, tensors: [now] });
  return judged.findings.map(({ rule }) => rule);
}

function tensor(figures: Figures, rest: Partial<JudgedTensor> = {}): JudgedTensor {
  return tensorOf('t', 'weight', { record: recordOf(figures), ...rest });
}

const stuck = { stuck: { 5: 1 << 9 } };

describe('stuck-bit-lane', () => {
  it('sees a bit that is 1 in every element of a lane', () => {
    expect(rulesOf(tensor({}), tensor(stuck))).toEqual(['stuck-bit-lane']);
  });

  it('needs 48 elements in the lane', () => {
    const few = (figures: Figures) => tensor({ ...figures, elements: 47 * 32 });
    const enough = (figures: Figures) => tensor({ ...figures, elements: 48 * 32 });
    expect(rulesOf(few({}), few(stuck))).toEqual([]);
    expect(rulesOf(enough({}), enough(stuck))).toEqual(['stuck-bit-lane']);
  });

  it('counts no subnormals, whose leading bits are 0 by their size', () => {
    const some = (figures: Figures) => tensor({ ...figures, denormals: 128 - 48 });
    const more = (figures: Figures) => tensor({ ...figures, denormals: 128 - 47 });
    expect(rulesOf(some({}), some(stuck))).toEqual(['stuck-bit-lane']);
    expect(rulesOf(more({}), more(stuck))).toEqual([]);
  });

  it('is quiet where the bit was stuck before', () => {
    expect(rulesOf(tensor(stuck), tensor(stuck))).toEqual([]);
  });

  it('skips a lane with more than four stuck planes: few-valued data', () => {
    expect(rulesOf(tensor({}), tensor({ stuck: { 5: 0b1111 << 9 } }))).toEqual(['stuck-bit-lane']);
    expect(rulesOf(tensor({}), tensor({ stuck: { 5: 0b11111 << 9 } }))).toEqual([]);
  });

  it('skips tensors whose values repeat, counted or told from one octave', () => {
    expect(rulesOf(tensor({}), tensor(stuck, { varied: false }))).toEqual([]);
    expect(rulesOf(tensor({}), tensor(stuck, { varied: null }))).toEqual(['stuck-bit-lane']);
    const constant = recordOf(stuck);
    constant.octaves.fill(0);
    constant.octaves[127] = 4000;
    constant.octaves[126] = 96;
    expect(
      rulesOf(tensor({}), tensorOf('t', 'weight', { record: constant, varied: null })),
    ).toEqual([]);
  });

  it('leaves integers alone', () => {
    expect(rulesOf(tensor({ dtype: 'i64' }), tensor({ dtype: 'i64', ...stuck }))).toEqual([]);
  });
});

describe('lost-precision', () => {
  const cut = (zeroPlanes: number, zeros = 0) => tensor({ zeroPlanes, zeros });

  it('needs three planes more than before', () => {
    expect(rulesOf(cut(0), cut(3))).toEqual(['lost-precision']);
    expect(rulesOf(cut(0), cut(2))).toEqual([]);
    expect(rulesOf(cut(13), cut(16))).toEqual(['lost-precision']);
    expect(rulesOf(cut(16), cut(16))).toEqual([]);
    expect(rulesOf(cut(16), cut(0))).toEqual([]);
  });

  it('needs 8 nonzero elements', () => {
    expect(rulesOf(cut(0, 4088), cut(16, 4088))).toEqual(['lost-precision']);
    expect(rulesOf(cut(0, 4089), cut(16, 4089))).toEqual([]);
  });

  it('does not judge a tensor that is not finite', () => {
    expect(rulesOf(cut(0), tensor({ zeroPlanes: 16, nan: 1 }))).toEqual([]);
  });
});

describe('vanished blocks', () => {
  const moment = (zeroBlocks: number) =>
    tensorOf('t', 'first', { record: recordOf({ zeroBlocks, zeros: 1024 * zeroBlocks }) });

  it('are told where their number grew', () => {
    expect(rulesOf(moment(1), moment(2))).toEqual(['vanished-block']);
    expect(rulesOf(moment(2), moment(1))).toEqual([]);
  });

  it('need two blocks in the tensor', () => {
    const small = (zeros: number) => tensor({ elements: 2047, zeros, zeroBlocks: zeros / 1024 });
    expect(rulesOf(small(0), small(1024))).toEqual([]);
  });

  it('are no news of a first moment that had the time to underflow', () => {
    expect(rulesOf(moment(1), moment(2), 2 ** -11)).toEqual([]);
    expect(rulesOf(moment(1), moment(2), 0)).toEqual([]);
    expect(rulesOf(moment(1), moment(2), null)).toEqual([]);
  });

  it.each([
    [0.9, 657, false],
    [0.9, 658, true],
    [0.999, 69_000, false],
    [Number.NaN, 1, true],
    [0.9, null, true],
    [0.9, -5, false],
  ])('counts k · log2(1/β₁) past 100: β₁ = %d after %d steps', (beta1, steps, want) => {
    expect(mayUnderflow(beta1, steps)).toBe(want);
  });
});

describe('stale-tensor', () => {
  const unknown = -1;
  const undigested = { ...recordOf(), digests: new Uint32Array() };
  const moves = { changed: 4096, deltaMax1: 1, deltaMax1Index: 0, deltaMax2: 1 };
  const pair = (changed: number) => ({
    ...moves,
    changed,
    deltaMax1: changed > 0 ? 1 : 0,
    deltaSquares: changed,
    deltaOctaves: new Float64Array(256).fill(changed, 127, 128),
    rowEnergy: new Float64Array(),
    blockEnergy: new Float64Array(),
    secondGained: 0,
    ratioMean: Number.NaN,
  });

  /**
   * Content of weight, first and second moments (two of them: AMSGrad) at each of seven
   * checkpoints.
   */
  function stale(contents: readonly (readonly number[])[], share = 1): string[] {
    let memory = emptyRunMemory();
    let last: string[] = [];
    for (const [i, content] of contents.entries()) {
      const moved = i > 0 && content[0] !== contents[i - 1]?.[0];
      const tensors = content.map((each, j) =>
        tensorOf(`t${j}`, (['weight', 'first', 'second', 'second'] as const)[j] ?? null, {
          unit: 'layer',
          record: each === unknown ? undigested : recordOf({ content: each }),
          pair: j === 0 && i > 0 ? pair(moved ? 4096 * share : 0) : null,
        }),
      );
      const judgement = judgeValidation(memory, { step: 10 * (i + 1), beta1: 0.9, tensors });
      memory = judgement.memory;
      last = judgement.findings.map(({ rule, tensor: name }) => `${rule} ${name}`);
    }
    return last;
  }

  it('says nothing of contents that are unknown now or were before', () => {
    expect(stale([...moving, [5, 6, unknown]])).toEqual(['stale-tensor t0']);
    expect(stale([...moving, [5, unknown, unknown]])).toEqual([]);
    expect(stale([...moving.slice(0, -1), [5, unknown, unknown], [5, 6, 6]])).toEqual([]);
  });

  const moving = [1, 2, 3, 4, 5].map((i) => [i, i, i]);

  it('sees a weight, or a moment, that stands still while the others move', () => {
    expect(stale([...moving, [5, 6, 6]])).toEqual(['stale-tensor t0']);
    expect(stale([...moving, [6, 6, 5]])).toEqual(['stale-tensor t2']);
  });

  it('is quiet where everything stands still: a frozen layer', () => {
    expect(stale([...moving, [5, 5, 5]])).toEqual([]);
  });

  it('asks for four checkpoints in which a quarter of the weights moved', () => {
    expect(stale([...moving.slice(1), [5, 6, 6]])).toEqual([]);
    expect(stale([...moving, [5, 6, 6]], 0.25)).toEqual([]);
    expect(stale([...moving, [5, 6, 6]], 0.26)).toEqual(['stale-tensor t0']);
  });

  it('lets the maximum of AMSGrad rest while its second moment moves', () => {
    const amsgrad = moving.map(([i = 0]) => [i, i, i, i]);
    expect(stale([...amsgrad, [6, 6, 6, 5]])).toEqual([]);
    expect(stale([...amsgrad, [6, 6, 5, 5]])).toEqual(['stale-tensor t2', 'stale-tensor t3']);
  });
});

describe('content', () => {
  it('has one hash of all its hashes, and none without a digest table', () => {
    const table = Uint32Array.from({ length: 4096 }, (_, i) => i * 2_654_435_761);
    const changed = Uint32Array.from(table);
    changed[4000] = 1;
    expect(foldDigests(table)).toMatch(/^[0-9a-f]{16}$/);
    expect(foldDigests(changed)).not.toBe(foldDigests(table));
    expect(foldDigests(table.subarray(0, 4094))).not.toBe(foldDigests(table));
    expect(exactState({ ...recordOf(), digests: new Uint32Array() }, null).digest).toBeNull();
  });
});
