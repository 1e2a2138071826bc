/** Storms, and events of the whole run. */
import { describe, expect, it } from 'vitest';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory, type RunMemory } from '../../src/suspicions/run-memory.ts';
import { stormOf } from '../../src/suspicions/score-lines.ts';
import type { Group } from '../../src/suspicions/suspicion.ts';
import { statisticalRules } from '../../src/suspicions/suspicions.ts';
import { isWholeRun } from '../../src/suspicions/whole-run-moved.ts';
import { recordOf, tensorOf } from './small-tensor.ts';

const lines = statisticalRules.flatMap((rule) => rule.lines);

describe('a storm', () => {
  it('is what the group moved past one octave, in the four lines of the specification', () => {
    const felt = lines.filter((line) => {
      const moved = { line, scores: [], residuals: new Map(), centre: -3.5 };
      return stormOf([moved]) === 2.5;
    });
    expect(felt.map(({ id }) => id).sort()).toEqual([
      'first.rms',
      'second.rms',
      'weight.deltaMedian',
      'weight.deltaRms',
    ]);
  });

  it('is none under one octave, and the largest of several', () => {
    const at = (id: string, centre: number) => ({
      line: lines.find((line) => line.id === id) as (typeof lines)[number],
      scores: [],
      residuals: new Map<string, number>(),
      centre,
    });
    expect(stormOf([at('first.rms', 0.9), at('second.rms', -0.5)])).toBe(0);
    expect(stormOf([at('first.rms', 2), at('second.rms', 5), at('weight.top', 9)])).toBe(4);
  });
});

const names = Array.from({ length: 9 }, (_, i) => `t${i}`);

function checkpoint(group: Group, gaps: readonly number[]) {
  return names.map((name, i) =>
    tensorOf(name, group, { record: recordOf({ max1: 2 ** (gaps[i] ?? 0.1), max2: 1 }) }),
  );
}

/** Six healthy checkpoints of nine tensors. */
function healthy(group: Group): RunMemory {
  let memory = emptyRunMemory();
  for (let step = 1; step < 7; step++) {
    const tensors = checkpoint(group, []);
    memory = judgeValidation(memory, { step, beta1: 0.9, tensors }).memory;
  }
  return memory;
}

describe('whole-run-moved', () => {
  it.each([
    [2, 2, false],
    [3, 3, true],
    [3, 8, true],
    [3, 9, false],
    [4, 9, true],
    [333, 1000, false],
    [334, 1000, true],
  ])('%d of %d tensors: %s', (suspects, members, want) => {
    expect(isWholeRun(suspects, members)).toBe(want);
  });

  it('stands for findings on more than a third of a group, as an info', () => {
    const memory = healthy('weight');
    const judge = (gaps: number[]) =>
      judgeValidation(memory, { step: 7, beta1: 0.9, tensors: checkpoint('weight', gaps) });
    expect(judge([9, 9, 9]).findings.map(({ tensor }) => tensor)).toEqual(['t0', 't1', 't2']);
    const [event, ...rest] = judge([9, 9, 9, 9]).findings;
    expect(event).toMatchObject({
      rule: 'whole-run-moved',
      tensor: null,
      severity: 'info',
      value: 4,
    });
    expect(rest).toEqual([]);
  });

  it('teaches the tensors, and not the bases', () => {
    const memory = healthy('weight');
    const tensors = checkpoint('weight', [9, 9, 9, 9]);
    const after = judgeValidation(memory, { step: 7, beta1: 0.9, tensors }).memory;
    expect(after.tensors.get('t0')?.values.gap?.at(-1)).toBe(9);
    expect(after.best).toEqual(memory.best);
    expect(after.open.size).toBe(0);
    expect(judgeValidation(after, { step: 8, beta1: 0.9, tensors }).findings).toEqual([]);
  });

  it('also gathers giants of a first checkpoint', () => {
    const first = (gaps: number[]) =>
      judgeValidation(emptyRunMemory(), {
        step: 1,
        beta1: 0.9,
        tensors: checkpoint('weight', gaps),
      });
    expect(first([9, 9, 9]).findings.map(({ rule }) => rule)).toEqual(Array(3).fill('lone-giant'));
    expect(first([9, 9, 9, 9]).findings.map(({ rule }) => rule)).toEqual(['whole-run-moved']);
  });

  it('does not excuse weights that vanish', () => {
    const tensors = names.map((name) =>
      tensorOf(name, 'weight', { record: recordOf({ zeros: 4096 }) }),
    );
    const { findings } = judgeValidation(healthy('weight'), { step: 7, beta1: 0.9, tensors });
    expect(findings.map(({ rule }) => rule)).toEqual(Array(9).fill('vanished-tensor'));
  });
});

describe('the base of a line', () => {
  it('is the largest score of the last 64 validations', () => {
    const scores = [3, ...Array<number>(63).fill(0.1)];
    const best = new Map([['weight.gap', scores]]);
    const memory: RunMemory = { ...healthy('weight'), best };
    const tensors = checkpoint('weight', [2]);
    const isolated = (known: RunMemory) => {
      const { findings } = judgeValidation(known, { step: 7, beta1: 0.9, tensors });
      const all = findings.flatMap((finding) => [finding, ...finding.others]);
      return all.filter(({ rule }) => rule === 'isolated-value').map(({ severity }) => severity);
    };
    // The excess is 1.9 octaves: under a base of 3 nothing, over the floor of 0.2 a warning.
    expect(isolated(memory)).toEqual([]);
    const later = { ...memory, best: new Map([['weight.gap', scores.slice(1)]]) };
    expect(isolated(later)).toEqual(['warning']);
    const quiet = judgeValidation(memory, {
      step: 7,
      beta1: 0.9,
      tensors: checkpoint('weight', []),
    });
    expect(quiet.memory.best.get('weight.gap')).toHaveLength(64);
    expect(isolated(quiet.memory)).toEqual(['warning']);
  });
});
