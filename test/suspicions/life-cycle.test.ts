/** Warnings open, stay one page, heal or are accepted; and what does not teach. */
import { describe, expect, it } from 'vitest';
import { acceptSuspicion } from '../../src/suspicions/accept-suspicion.ts';
import { type Judgement, judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory, type RunMemory } from '../../src/suspicions/run-memory.ts';
import type { Validation } from '../../src/suspicions/validation.ts';
import {
  type Branch,
  readRun,
  replay,
  type StoredCheckpoint,
  validationOf,
} from './recorded-run.ts';

const run = readRun('mlp-adam');
const { memories } = replay(run, emptyRunMemory());

function branchOf(fault: string): Branch {
  const found = run.branches.find((branch) => branch.fault === fault);
  if (!found) throw new Error(`no branch ${fault}`);
  return found;
}

/** Checkpoint `i` after the fault. */
function checkpoint(branch: Branch, i: number): Validation {
  const healthy = run.checkpoints[branch.at + i] as StoredCheckpoint;
  return validationOf(run, branch.checkpoints[i] as StoredCheckpoint, healthy);
}

const flipped = branchOf('second moment bit 30');
const tensor = 'optimizer/exp_avg_sq.layers.2.weight';
const before = memories[flipped.at] as RunMemory;
const damaged = judgeValidation(before, checkpoint(flipped, 0));

function warned(judgement: Judgement): (string | null)[] {
  return judgement.findings
    .filter(({ severity }) => severity === 'warning')
    .map((finding) => finding.tensor);
}

describe('an open warning', () => {
  it('names the step at which it was opened, and its rules', () => {
    expect(damaged.memory.open.get(tensor)).toMatchObject({ since: 150, clean: 0 });
    expect(damaged.memory.open.get(tensor)?.rules).toContain('isolated-value');
    expect(damaged.findings[0]).toMatchObject({ tensor, since: 150, element: 4711 });
  });

  it('ends after two validations without a finding, not after one', () => {
    const once = judgeValidation(damaged.memory, checkpoint(flipped, 1)).memory;
    expect(once.open.get(tensor)?.clean).toBe(1);
    expect(judgeValidation(once, checkpoint(flipped, 2)).memory.open.has(tensor)).toBe(false);
  });

  it('stays one page while the damage stays', () => {
    const again = { ...checkpoint(flipped, 0), step: 160 };
    const second = judgeValidation(damaged.memory, again);
    expect(second.findings[0]).toMatchObject({ tensor, severity: 'warning', since: 150 });
    expect(second.memory.open.get(tensor)?.clean).toBe(0);
  });

  it('leaves the tensor without a lesson and the bases as they were', () => {
    expect(damaged.memory.tensors.get(tensor)?.values).toEqual(before.tensors.get(tensor)?.values);
    expect(damaged.memory.best).toEqual(before.best);
    expect(damaged.memory.validations).toBe(before.validations + 1);
  });

  it('is gone once the operator accepts it, and the same state is quiet from then on', () => {
    const accepted = acceptSuspicion(damaged.memory, tensor);
    expect(accepted.open.size).toBe(0);
    expect(accepted.accepted).toMatchObject([{ tensor, since: 150 }]);
    const again = { ...checkpoint(flipped, 0), step: 160 };
    expect(warned(judgeValidation(damaged.memory, again))).toContain(tensor);
    expect(warned(judgeValidation(accepted, again))).toEqual([]);
  });

  it('cannot be accepted where none is open', () => {
    expect(acceptSuspicion(before, tensor)).toBe(before);
  });
});

describe('what does not teach', () => {
  it('is a tensor that is not finite: no warning here, and no lesson', () => {
    const nan = branchOf('weight is NaN');
    const known = memories[nan.at] as RunMemory;
    const judgement = judgeValidation(known, checkpoint(nan, 0));
    const name = 'model/layers.2.weight';
    expect(warned(judgement)).toEqual([]);
    expect(judgement.memory.tensors.get(name)?.values).toEqual(known.tensors.get(name)?.values);
    expect(judgement.memory.best).toEqual(known.best);
  });

  it('is a tensor on which a law is broken', () => {
    const healthy = validationOf(run, run.checkpoints[flipped.at] as StoredCheckpoint);
    const tensors = healthy.tensors.map((each) =>
      each.name === tensor ? { ...each, distrusted: true } : each,
    );
    const { memory } = judgeValidation(before, { ...healthy, tensors });
    expect(memory.tensors.get(tensor)?.values).toEqual(before.tensors.get(tensor)?.values);
    expect(memory.best).toEqual(before.best);
  });
});

describe('an info', () => {
  const branch = branchOf('weight bit 31');
  const name = 'model/layers.1.weight';

  it('opens nothing and teaches', () => {
    const known = memories[branch.at] as RunMemory;
    const judgement = judgeValidation(known, checkpoint(branch, 0));
    expect(judgement.findings.map(({ severity }) => severity)).toEqual(['info']);
    expect(judgement.findings[0]).toMatchObject({ since: null, persistent: false });
    expect(judgement.memory.open.size).toBe(0);
    expect(judgement.memory.best).not.toEqual(known.best);
  });

  it.each([
    ['two validations ago', [[['isolated-update', name]], []], true],
    ['by another rule', [[['isolated-value', name]], []], false],
  ] as const)(
    'is persistent where the tensor was told %s: see the last value',
    (_, infos, want) => {
      const known = { ...(memories[branch.at] as RunMemory), infos };
      const [finding] = judgeValidation(known, checkpoint(branch, 0)).findings;
      expect(finding).toMatchObject({ rule: 'isolated-update', persistent: want });
    },
  );

  it('is forgotten after three validations', () => {
    let memory = judgeValidation(memories[branch.at] as RunMemory, checkpoint(branch, 0)).memory;
    expect(memory.infos.flat()).toEqual([['isolated-update', name]]);
    for (const i of [1, 2]) memory = judgeValidation(memory, checkpoint(branch, i)).memory;
    expect(memory.infos.flat()).toEqual([['isolated-update', name]]);
    const next = run.checkpoints[branch.at + 3] as StoredCheckpoint;
    expect(judgeValidation(memory, validationOf(run, next)).memory.infos.flat()).toEqual([]);
  });
});
