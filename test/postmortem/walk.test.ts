/** The walk over a dead run, with a judge that answers from a table: which checkpoint is bad, what inherits it. */
import { describe, expect, it } from 'vitest';
import { postmortemDocument } from '../../src/postmortem/postmortem.ts';
import { type JudgePair, walkRun } from '../../src/postmortem/walk.ts';
import type { Finding, Result, Verdict } from '../../src/verdict/result.ts';

const law: Finding = {
  rule: 'moment-increment',
  kind: 'law',
  certainty: 'confirmed',
  severity: 'critical',
  tensor: 'optimizer.state.3.exp_avg_sq',
  element: { index: 5, coordinates: [5] },
  parameter: 'model.blocks.3.up.weight',
  count: 1,
  message: 'broken',
  next: 'again',
};
const cut: Finding = { ...law, rule: 'file-truncated', kind: 'structure' };

function says(verdict: Verdict, step: number, findings: readonly Finding[]): Result {
  const checkpoint = {
    path: String(step),
    layout: 'torch-zip',
    step,
    complete: true,
    optimizers: [],
  };
  return {
    schema: 'laika.result/1',
    laika: { version: '0', rules: '' },
    checkpoint,
    verdict,
    findings,
  };
}

/** `broken` lists pairs "base>head"; `alone` lists checkpoints that are damaged files. */
function judge(broken: readonly string[], alone: readonly string[] = []): JudgePair {
  return async (head, base) => {
    if (alone.includes(head)) return says('corrupt', Number(head), [cut]);
    if (base !== null && alone.includes(base))
      return says('corrupt', Number(head), [{ ...cut, message: 'in the base: cut' }]);
    const bad = base !== null && broken.includes(`${base}>${head}`);
    return says(bad ? 'corrupt' : 'intact', Number(head), bad ? [law] : []);
  };
}

const run = ['10', '20', '30', '40'];

/** The element that shows it is 1 everywhere but in `odd`. */
function reader(odd: string) {
  return async (path: string) => (path === odd ? 1e6 : 1);
}

describe('the walk', () => {
  it('says so where nothing is wrong, and trusts the last one', async () => {
    const walk = await walkRun(run, judge([]));
    expect(walk.firstBad).toBeNull();
    expect(walk.lastGood?.path).toBe('40');
  });

  it('names the head of a broken pair where the one before it does not fit either', async () => {
    const walk = await walkRun(run, judge(['20>30', '10>30', '20>40']), reader('30'));
    expect(walk.firstBad).toMatchObject({ path: '30', shownBy: { base: '20', head: '30' } });
    expect(walk.lastGood?.path).toBe('20');
    expect(walk.inherits).toEqual(['40']);
  });

  it('names the base where only the later pair shows it, and its element stands out there alone', async () => {
    const walk = await walkRun(run, judge(['20>30', '20>40']), reader('20'));
    expect(walk.firstBad).toMatchObject({ path: '20', shownBy: { base: '20', head: '30' } });
    expect(walk.lastGood?.path).toBe('10');
    expect(walk.inherits).toEqual([]);
  });

  it('names the head where a longer pair is merely too weak to show it', async () => {
    const walk = await walkRun(run, judge(['20>30', '20>40', '30>40']), reader('30'));
    expect(walk.firstBad).toMatchObject({ path: '30', shownBy: { base: '20', head: '30' } });
    expect(walk.lastGood?.path).toBe('20');
  });

  it('clears a later checkpoint that does not go on from the bad one', async () => {
    const walk = await walkRun(run, judge(['20>30', '10>30', '30>40']), reader('30'));
    expect(walk.firstBad?.path).toBe('30');
    expect(walk.inherits).toEqual([]);
  });

  it('takes one that fits both for an heir: it cannot be told apart', async () => {
    const walk = await walkRun(run, judge(['20>30', '10>30']), reader('30'));
    expect(walk.inherits).toEqual(['40']);
  });

  it('knows that a damaged file hands nothing on, and trusts what came after it', async () => {
    const walk = await walkRun(run, judge([], ['20']));
    expect(walk.firstBad?.path).toBe('20');
    expect(walk.lastGood?.path).toBe('40');
    expect(walk.inherits).toEqual([]);
    expect((await walkRun(run, judge([], ['10']))).lastGood?.path).toBe('40');
  });

  it('judges nothing against a checkpoint that could not be judged itself', async () => {
    const error = { code: 'path-unreadable', what: 'It cannot be read', where: '10' } as const;
    const refused: JudgePair = async (head, base) => {
      if (head !== '10' && base !== '10') return says('intact', Number(head), []);
      return { schema: 'laika.result/1', laika: { version: '0', rules: '' }, error };
    };
    const walk = await walkRun(run, refused);
    expect(walk.lastGood?.path).toBe('40');
    expect(walk.walked.filter(({ result }) => result.error)).toHaveLength(1);
  });

  it('does not take one damaged file for the heir of another', async () => {
    const walk = await walkRun(run, judge([], ['20', '30']));
    expect(walk.firstBad?.path).toBe('20');
    expect(walk.lastGood?.path).toBe('40');
    expect(walk.inherits).toEqual([]);
  });

  it('trusts nothing after a broken law, whatever file was damaged before it', async () => {
    const broken = ['20>30', '10>30', '20>40'];
    const walk = await walkRun(['5', ...run], judge(broken, ['5']), reader('30'));
    expect(walk.firstBad?.path).toBe('5');
    expect(walk.firstBadState?.path).toBe('30');
    expect(walk.lastGood?.path).toBe('20');
    expect(walk.inherits).toEqual(['40']);
    const { findings, postmortem } = postmortemDocument(walk);
    expect(findings?.map(({ rule }) => rule)).toEqual(['file-truncated', 'moment-increment']);
    expect(postmortem?.blast.checkpoints).toEqual(['30', '40']);
  });

  it('lets code in a pickle explain no broken law', async () => {
    const code: Finding = { ...cut, rule: 'code-in-pickle', kind: 'security' };
    const both: JudgePair = async (head, base) =>
      head === '20' ? says('corrupt', 20, [code, law]) : judge([])(head, base);
    const walk = await walkRun(run, both, reader('none'));
    expect(walk.lastGood?.path).toBe('10');
    expect(walk.inherits).toEqual(['30', '40']);
  });

  it('remembers a bad checkpoint that is gone, and takes what comes after it for its heirs', async () => {
    const remembered = {
      path: '25',
      step: 25,
      base: '20',
      result: says('corrupt', 25, [law]),
      isGone: true,
    };
    const walk = await walkRun(['10', '20', { remembered }, '30'], judge([]));
    expect(walk.firstBad).toMatchObject({ path: '25', shownBy: { base: '20', head: '25' } });
    expect(walk.lastGood?.path).toBe('20');
    expect(walk.inherits).toEqual(['30']);
  });

  it('trusts nothing where the state of the first one is bad', async () => {
    const firstBad: JudgePair = async (head, base) =>
      head === '10' ? says('corrupt', 10, [law]) : judge([])(head, base);
    const walk = await walkRun(run, firstBad);
    expect(walk.firstBad?.path).toBe('10');
    expect(walk.lastGood).toBeNull();
  });
});

describe('the document', () => {
  it('has the worst verdict, the last good one, tensors, layers and how to resume', async () => {
    const result = postmortemDocument(
      await walkRun(run, judge(['20>30', '10>30', '20>40']), reader('30')),
    );
    expect(result).toMatchObject({
      verdict: 'corrupt',
      trusted: { checkpoint: '20', step: 20 },
      postmortem: {
        first_bad: { checkpoint: '30', step: 30 },
        shown_by: { base: '20', head: '30' },
        blast: { layers: ['model.blocks.3'], checkpoints: ['40'] },
      },
    });
    expect(result.postmortem?.resume).toMatch(/torch\.load\("20"/);
  });

  it('claims nothing about an empty walk', () => {
    const none = { firstBad: null, firstBadState: null, lastGood: null };
    const result = postmortemDocument({ walked: [], inherits: [], ...none });
    expect(result.verdict).toBe('unverified');
  });
});
