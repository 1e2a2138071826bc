/**
 * The rules against score.py, the executable specification, on recorded runs
 * (test/fixtures/suspicions/make.py).
 */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { baseBits } from '../../src/suspicions/budget.ts';
import { type Judgement, judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import {
  type Branch,
  flatten,
  flattenOracle,
  type Part,
  type RecordedRun,
  readRun,
  replay,
  type StoredCheckpoint,
  validationOf,
} from './recorded-run.ts';

/*
 * Deliberate differences, taken out of score.py's list before the comparison, or tested apart:
 * - non-finite is the law finite-values here; such a tensor teaches nothing, as in score.py.
 * - vanished-block is not said again of a tensor that vanished as a whole.
 * - Scores under their base are not told: nothing was calibrated there. score.py tells them where
 *   ten tests or fewer share the budget (runs of three tensors), as an info on a healthy tensor.
 * - whole-run-moved (section 6 of suspicions.md) is not in score.py: branches that show it are
 *   named "event: …".
 */
const folder = new URL('../fixtures/suspicions/', import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.json.gz'))
  .map((file) => file.replace('.json.gz', ''));

/** Bits may differ by what float64 sums and figures settled to 10^-8 octaves leave. */
const tolerance = 1e-6;

function expectSame(judgement: Judgement, oracle: Part['checkpoints'][number]): void {
  const mine = flatten(judgement.findings);
  const want = flattenOracle(oracle.findings).filter(
    ({ net }) => net === null || net + Math.log2(oracle.tests) >= baseBits,
  );
  expect(mine.map(({ key, severity }) => [key, severity])).toEqual(
    want.map(({ key, severity }) => [key, severity]),
  );
  for (const [i, { net }] of want.entries()) {
    if (net === null) expect(mine[i]?.net).toBeNull();
    else expect(Math.abs((mine[i]?.net as number) - net)).toBeLessThan(tolerance);
  }
  expect(judgement.tests).toBe(oracle.tests);
  if (oracle.highest === null) expect(judgement.highestNet).toBeNull();
  else {
    const distance = Math.abs((judgement.highestNet as number) - oracle.highest);
    expect(distance).toBeLessThan(tolerance);
  }
}

function judgeBranch(run: RecordedRun, branch: Branch, memory = emptyRunMemory()): Judgement[] {
  let known = memory;
  return branch.checkpoints.map((checkpoint, i) => {
    const healthy = run.checkpoints[branch.at + i] as StoredCheckpoint;
    const judgement = judgeValidation(known, validationOf(run, checkpoint, healthy));
    known = judgement.memory;
    return judgement;
  });
}

/** Events of the whole run have no counterpart in score.py, which reports every tensor. */
const isEvent = ({ fault }: Branch) => fault.startsWith('event: ');

/**
 * What the event tests expect: who moved, of how many (one bias has 4 elements), under which rules.
 */
const events: Readonly<Record<string, readonly (readonly [number, number, string])[]>> = {
  'event: rate 0': [[8, 8, 'weights left their history in one validation (stale-tensor)']],
  'event: new optimizer': [
    [8, 8, 'first moments left their history in one validation (vanished-tensor)'],
    [8, 8, 'second moments left their history in one validation (vanished-tensor)'],
  ],
  'event: four weights flipped': [[4, 7, 'weights left their history in one validation']],
};

describe.each(names)('%s', (name) => {
  const run = readRun(name);
  const { judgements, memories } = replay(run, emptyRunMemory());

  it('gives the same findings, tests and bits as score.py at every healthy checkpoint', () => {
    for (const [i, judgement] of judgements.entries()) {
      expectSame(judgement, run.checkpoints[i] as StoredCheckpoint);
    }
  });

  it('never warns of the healthy run', () => {
    const warned = judgements.flatMap(({ findings }) =>
      findings.filter(({ severity }) => severity === 'warning'),
    );
    expect(warned).toEqual([]);
  });

  it.each(run.branches.filter((branch) => !isEvent(branch)))(
    'says what score.py says of a fault: $fault',
    (branch) => {
      const judged = judgeBranch(run, branch, memories[branch.at]);
      for (const [i, judgement] of judged.entries()) {
        expectSame(judgement, branch.checkpoints[i] as StoredCheckpoint);
      }
    },
  );

  it.runIf(run.parts).each(run.parts ?? [])(
    'treats small groups as score.py does: $tensors.length tensors',
    (part) => {
      let memory = emptyRunMemory();
      for (const [i, oracle] of part.checkpoints.entries()) {
        const validation = validationOf(run, run.checkpoints[i] as StoredCheckpoint);
        const tensors = validation.tensors.filter(({ name }) => part.tensors.includes(name));
        const judgement = judgeValidation(memory, { ...validation, tensors });
        expectSame(judgement, oracle);
        memory = judgement.memory;
      }
    },
  );

  const eventful = run.branches.filter(isEvent);
  it.runIf(eventful.length > 0).each(eventful)(
    'tells of one event where score.py warns of a whole group: $fault',
    (branch) => {
      const [judgement] = judgeBranch(run, branch, memories[branch.at]);
      const told = judgement?.findings ?? [];
      expect(told.map(({ rule, severity }) => [rule, severity])).toEqual(
        events[branch.fault]?.map(() => ['whole-run-moved', 'info']),
      );
      for (const [i, [suspects, members, words]] of (events[branch.fault] ?? []).entries()) {
        expect(told[i]?.message).toContain(`${suspects} of ${members} ${words}`);
      }
      const warned = new Set(branch.checkpoints[0]?.findings.map(({ tensor }) => tensor));
      expect(warned.size).toBeGreaterThanOrEqual(told.reduce((sum, { value }) => sum + value, 0));
    },
  );
});
