/** Which updates may be compared. */
import { describe, expect, it } from 'vitest';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import type { Validation } from '../../src/suspicions/validation.ts';
import { tensorOf } from './small-tensor.ts';

const tensors = [tensorOf('w', 'weight')];

/**
 * Judges checkpoints of these steps in order; for each: compared or not, and the reference after
 * it.
 */
function walk(steps: readonly (number | null)[], bases: readonly (number | null)[] = []) {
  let memory = emptyRunMemory();
  return steps.map((step, i) => {
    const base = bases[i];
    const validation: Validation = { step, beta1: 0.9, tensors };
    const judgement = judgeValidation(
      memory,
      base === undefined ? validation : { ...validation, baseStep: base },
    );
    memory = judgement.memory;
    return [judgement.comparable, memory.step];
  });
}

describe('distances between checkpoints', () => {
  it('compares up to 4 times longer and shorter, and leaves a witness out', () => {
    expect(walk([100, 150, 200, 201, 250, 264, 450, 462])).toEqual([
      [true, 100],
      [true, 150],
      [true, 200],
      [false, 200],
      [true, 250],
      [true, 264],
      [true, 450],
      [false, 450],
    ]);
  });

  it('leaves steps backwards and repeated steps out, from the second checkpoint on', () => {
    expect(walk([100, 90, 100, 110])).toEqual([
      [true, 100],
      [false, 100],
      [false, 100],
      [true, 110],
    ]);
  });

  it('takes a new interval for usual after four checkpoints', () => {
    expect(walk([10, 20, 30, 1030, 2030, 3030, 4030, 5030, 6030])).toEqual([
      [true, 10],
      [true, 20],
      [true, 30],
      [false, 30],
      [false, 30],
      [false, 30],
      [false, 4030],
      [true, 5030],
      [true, 6030],
    ]);
  });

  it('forgets updates of the old interval, and nothing else, when it starts anew', () => {
    let memory = emptyRunMemory();
    for (const step of [10, 20, 30, 1030, 2030, 3030]) {
      memory = judgeValidation(memory, { step, beta1: 0.9, tensors }).memory;
    }
    expect(Object.keys(memory.tensors.get('w')?.values ?? {})).toContain('deltaRms');
    memory = judgeValidation(memory, { step: 4030, beta1: 0.9, tensors }).memory;
    const kept = Object.keys(memory.tensors.get('w')?.values ?? {});
    expect(kept.filter((name) => name.startsWith('delta'))).toEqual([]);
    expect(memory.tensors.get('w')?.values.gap).toHaveLength(7);
    expect(memory.strides).toEqual([]);
  });

  it('recovers where the second checkpoint ever seen was a witness', () => {
    const compared = walk([50, 51, 100, 101, 150, 151, 200, 250, 300]).map(([yes]) => yes);
    expect(compared).toEqual([true, true, false, false, false, false, true, true, true]);
  });

  it('recovers after a rollback', () => {
    const compared = walk([100, 110, 120, 50, 60, 70, 80, 90, 100]).map(([yes]) => yes);
    expect(compared).toEqual([true, true, true, false, false, false, false, true, true]);
  });

  it('measures from the base that the caller names', () => {
    expect(walk([100, 150, 200, 210], [null, 100, 150, 150]).map(([yes]) => yes)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(walk([100, 150, 200, 210], [null, 100, 150, 209])[3]).toEqual([false, 200]);
  });

  it('compares nothing where the step is unknown', () => {
    expect(walk([null, null, 10, 20]).map(([yes]) => yes)).toEqual([false, false, true, true]);
  });
});
