/** The memory of a run as text. */
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { memoryFromJson, memoryToJson } from '../../src/suspicions/memory-json.ts';
import { emptyRunMemory, type RunMemory } from '../../src/suspicions/run-memory.ts';
import { readRun, replay, validationOf } from './recorded-run.ts';

const run = readRun('mlp-adam');
const { judgements, memories } = replay(run, emptyRunMemory());
const last = memories.at(-1) as RunMemory;

function codeOf(text: string): string {
  try {
    memoryFromJson(text);
  } catch (error) {
    if (isLaikaError(error)) return error.code;
  }
  return 'accepted';
}

describe('the memory of a run as text', () => {
  it('judges after a restart exactly as without one, at every checkpoint', () => {
    let memory = emptyRunMemory();
    for (const [i, checkpoint] of run.checkpoints.entries()) {
      const reread = memoryFromJson(memoryToJson(memory));
      const judgement = judgeValidation(reread, validationOf(run, checkpoint));
      expect(judgement).toEqual(judgements[i]);
      memory = judgement.memory;
    }
  });

  it('reads back what was written, open warnings and all', () => {
    for (const branch of run.branches) {
      const healthy = run.checkpoints[branch.at];
      const [damaged] = branch.checkpoints;
      if (!damaged || !healthy) throw new Error('a branch without checkpoints');
      const before = memories[branch.at] as RunMemory;
      const { memory } = judgeValidation(before, validationOf(run, damaged, healthy));
      expect(memoryFromJson(memoryToJson(memory))).toEqual(memory);
    }
  });

  it('keeps NaN, infinities and names that are no good object keys', () => {
    const [known] = last.tensors.values();
    if (!known) throw new Error('nothing was remembered');
    const gap = [Number.NaN, -Infinity, Infinity, -0, null];
    const memory: RunMemory = {
      ...emptyRunMemory(),
      best: new Map([['weight.gap', [-Infinity, Number.NaN]]]),
      tensors: new Map([['__proto__', { ...known, values: { gap } }]]),
    };
    const reread = memoryFromJson(memoryToJson(memory));
    expect(reread.tensors.get('__proto__')?.values.gap).toEqual(gap);
    expect(reread.best.get('weight.gap')).toEqual([-Infinity, Number.NaN]);
  });

  it('takes about 1 KB a tensor when every window is full', () => {
    const bytes = memoryToJson(last).length / last.tensors.size;
    expect(bytes).toBeGreaterThan(600);
    expect(bytes).toBeLessThan(1400);
  });

  it.each([
    ['no JSON', '{'],
    ['another document', '{"schema":"laika.result/1"}'],
    ['a list', '[]'],
    ['a missing part', memoryToJson(last).replace('"validations"', '"valuations"')],
    ['a negative count', memoryToJson(last).replace('"unlike":0', '"unlike":-1')],
    ['a number that is none', memoryToJson(last).replace('"strides":[10', '"strides":["ten"')],
    ['an unknown group', memoryToJson(last).replace('"group":"weight"', '"group":"wait"')],
    ['an inherited dtype', memoryToJson(last).replace('"dtype":"f32"', '"dtype":"toString"')],
    ['a lane that does not exist', memoryToJson(last).replace('"stuck":[]', '"stuck":[[99,1]]')],
  ])('refuses %s', (_, text) => {
    expect(codeOf(text)).toBe('state-invalid');
  });
});
