/** Tensors without history: first seen, unfrozen, changed, missing, or seen in one pair only. */
import { describe, expect, it } from 'vitest';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory, type RunMemory } from '../../src/suspicions/run-memory.ts';
import type { JudgedTensor } from '../../src/suspicions/validation.ts';
import { readRun, type StoredCheckpoint, validationOf } from './recorded-run.ts';
import { recordOf, tensorOf } from './small-tensor.ts';

function judge(memory: RunMemory, step: number, ...tensors: JudgedTensor[]) {
  return judgeValidation(memory, { step, beta1: 0.9, tensors });
}

function rulesOf(...args: Parameters<typeof judge>): string[] {
  return judge(...args).findings.map(({ rule, severity }) => `${rule} ${severity}`);
}

const plain = tensorOf('w', 'weight');
const giant = tensorOf('w', 'weight', { record: recordOf({ max1: 2 ** 9, max2: 1 }) });
const blank = tensorOf('w', 'weight', { record: recordOf({ zeros: 4096 }) });

describe('lone-giant', () => {
  it.each([
    ['weight', 8],
    ['first', 12],
    ['second', 20],
  ] as const)('tells of a gap in the first checkpoint: %s from %d octaves', (group, gap) => {
    const at = (octaves: number) =>
      tensorOf('t', group, { record: recordOf({ max1: 2 ** octaves, max2: 1 }) });
    expect(rulesOf(emptyRunMemory(), 1, at(gap))).toEqual(['lone-giant info']);
    expect(rulesOf(emptyRunMemory(), 1, at(gap - 0.01))).toEqual([]);
  });

  it('names the element, and has no calibrated bits', () => {
    const [finding] = judge(emptyRunMemory(), 1, giant).findings;
    expect(finding).toMatchObject({ element: 7, bits: null, net: null, value: 9, reference: 8 });
  });

  it('knows the gap once it is in the history', () => {
    const { memory } = judge(emptyRunMemory(), 1, giant);
    expect(rulesOf(memory, 2, giant)).toEqual([]);
  });

  it('looks at a tensor that was all zero until now, as an unfrozen one is', () => {
    let memory = emptyRunMemory();
    for (const step of [1, 2, 3]) memory = judge(memory, step, blank).memory;
    expect(rulesOf(memory, 4, giant)).toEqual(['lone-giant info']);
    expect(rulesOf(memory, 4, plain)).toEqual([]);
  });

  it('leaves buffers and tensors of no group alone', () => {
    const huge = { record: recordOf({ max1: 2 ** 60, max2: 1 }) };
    expect(
      rulesOf(emptyRunMemory(), 1, tensorOf('b', 'buffer', huge), tensorOf('o', null, huge)),
    ).toEqual([]);
  });
});

describe('a changed tensor', () => {
  const seen = judge(emptyRunMemory(), 1, plain).memory;

  it.each([
    ['elements', { record: recordOf({ elements: 8192, zeros: 8192 }) }],
    ['dtype', { record: recordOf({ dtype: 'bf16', zeros: 4096 }) }],
    ['rows', { rows: 32, record: recordOf({ zeros: 4096 }) }],
  ] as const)('starts a new history where its %s differ', (_, rest) => {
    expect(rulesOf(seen, 2, tensorOf('w', 'weight', rest))).toEqual([]);
    expect(rulesOf(seen, 2, blank)).toEqual(['vanished-tensor warning']);
  });

  it('is forgotten after it was missing from 12 checkpoints', () => {
    let memory = seen;
    const other = tensorOf('other', 'weight');
    for (let step = 2; step < 13; step++) memory = judge(memory, step, other).memory;
    expect(memory.tensors.has('w')).toBe(true);
    expect(judge(memory, 13, other).memory.tensors.has('w')).toBe(false);
  });

  it('counts once where a checkpoint lists its name twice', () => {
    expect(judge(emptyRunMemory(), 1, plain, plain).memory.tensors.size).toBe(1);
  });

  it('may have no elements at all', () => {
    const none = tensorOf('w', 'weight', { record: recordOf({ elements: 0, zeros: 0 }) });
    expect(rulesOf(seen, 2, none)).toEqual([]);
  });
});

describe('a run of one tensor', () => {
  it('is quiet while nothing in it moves, however few tests share the budget', () => {
    let memory = emptyRunMemory();
    for (let step = 1; step < 20; step++) {
      const judgement = judge(memory, step, plain);
      expect(judgement.findings).toEqual([]);
      if (step > 4) expect(judgement.tests).toBeLessThan(4);
      memory = judgement.memory;
    }
  });

  it('is still told of an isolated value', () => {
    let memory = emptyRunMemory();
    for (let step = 1; step < 6; step++) memory = judge(memory, step, plain).memory;
    const spiked = tensorOf('w', 'weight', { record: recordOf({ max1: 4, max2: 1.25 }) });
    expect(rulesOf(memory, 6, spiked)).toEqual(['isolated-value warning']);
  });
});

describe('one pair without a memory', () => {
  const run = readRun('adamw-transformer');
  const [branch] = run.branches;
  const name = 'model/blocks.0.up.weight';

  it('judges the exact rules against the base', () => {
    if (!branch) throw new Error('the fixture has no branch');
    const base = validationOf(run, run.checkpoints[branch.at - 1] as StoredCheckpoint);
    const records = new Map(base.tensors.map((tensor) => [tensor.name, tensor.record]));
    const damaged = branch.checkpoints[0] as StoredCheckpoint;
    const head = validationOf(run, damaged, run.checkpoints[branch.at]);
    const tensors = head.tensors.map((tensor) => ({
      ...tensor,
      varied: null,
      before: records.get(tensor.name) ?? null,
    }));
    const { findings } = judgeValidation(emptyRunMemory(), { ...head, baseStep: 120, tensors });
    expect(findings.map(({ rule, tensor }) => [rule, tensor])).toEqual([['stuck-bit-lane', name]]);
    expect(findings[0]).toMatchObject({ lanes: [20], planes: [2], severity: 'warning', net: 60 });
  });
});
