/** Which checkpoint another one is judged against. */
import { expect, test } from 'vitest';
import { bench, candidate, finding, resultOf, run } from './run-folder.ts';

test('judges in the order of the listing, each against the last trusted one', async () => {
  const b = bench();
  b.candidates = [candidate(9), candidate(10), candidate(30), candidate(100)];
  b.verdicts.set(`${run}/step-10`, 'corrupt').set(`${run}/step-30`, 'unremarkable');
  await b.settle();
  expect(b.judged).toEqual([
    'step-9 against nothing',
    'step-10 against step-9',
    'step-30 against step-9',
    'step-100 against step-30',
  ]);
});

test('trusts a base no more whose own files turned out to be damaged', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2)];
  await b.settle();
  const damage = finding('changed-at-rest', { kind: 'structure', message: 'in the base: rotten' });
  b.candidates = [candidate(1), candidate(2), candidate(3), candidate(4)];
  b.verdicts.set(`${run}/step-3`, () => resultOf('corrupt', [damage]));
  await b.settle();
  expect(b.judged.slice(2)).toEqual(['step-3 against step-2', 'step-4 against step-1']);
  const told = b.stored().filter(({ type }) => type.endsWith('checkpoint.verdict.v1'));
  const third = told.find(({ subject }) => subject === `${run}/step-3`);
  expect(JSON.parse(third?.data ?? '')).toMatchObject({ trusted: { checkpoint: `${run}/step-1` } });
  const second = b.history.checkpoints(run).find(({ path }) => path === `${run}/step-2`);
  expect([second?.trusted, second?.revoked]).toEqual([false, 'changed-at-rest']);
});

test('passes over trusted bases that rotation has removed', async () => {
  const b = bench();
  b.candidates = [candidate(1), candidate(2), candidate(3)];
  await b.settle();
  b.candidates = [candidate(1), candidate(4)];
  await b.settle();
  expect(b.judged.at(-1)).toBe('step-4 against step-1');
});
