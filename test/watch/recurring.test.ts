/** The watcher looks back on the damaged checkpoints before. */
import { expect, test } from 'vitest';
import { tempFolder } from '../history/temp-folder.ts';
import { bench, candidate, finding, resultOf, run } from './run-folder.ts';

test('names what the damaged checkpoints have in common, those before a restart too', async () => {
  const steps = [1, 2, 3, 4, 5];
  const folder = tempFolder();
  const lookAt = async (of: readonly number[]) => {
    const b = bench({ folder });
    b.candidates = of.map((step) => candidate(step));
    for (const step of steps) {
      const element = { index: 9 + 32 * step, coordinates: [9 + 32 * step] };
      const lone = finding('bounded-update', { parameter: 'w', element });
      b.verdicts.set(`${run}/step-${step}`, () => resultOf('corrupt', [lone]));
    }
    await b.settle();
    const text = b.history.resultJson(run, `${run}/step-${of.at(-1)}#1`) ?? '';
    b.history.close();
    return text;
  };
  expect(await lookAt(steps.slice(0, 2))).not.toContain('recurring-suspect');
  expect(await lookAt(steps)).toContain('lane (index mod 32) 9 is behind 5 of 5 findings');
});
