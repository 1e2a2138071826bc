/** How fast is a pair of checkpoints judged by every law? */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, commands, numpy, ratio, rows, target } from './answer.ts';
import { type Contender, compete, run } from './measure.ts';
import { laika, type Setting } from './setting.ts';

/** A pair of checkpoints with every law. */
export async function pairSpeeds(setting: Setting): Promise<Answer> {
  const [base, head] = ['pair-10', 'pair-20'].map((name) =>
    join(setting.data, `${name}.safetensors`),
  );
  const flags = `--base ${base} --lr-max 1e-3`;
  const json = `--output json --reproducible`;
  const once = await run(`${laika} validate ${head} ${flags} ${json} --threads 1`);
  const twice = await run(`${laika} validate ${head} ${flags} ${json} --threads 2`);
  const result = JSON.parse(once.output) as {
    verdict: string;
    coverage: { rules: { rule: string; elements: number }[] };
  };
  if (once.output !== twice.output) throw new Error('two threads find something else than one');
  const judged = new Set(
    result.coverage.rules.filter((rule) => rule.elements > 0).map(({ rule }) => rule),
  );
  for (const law of ['moment-bound', 'moment-increment', 'bounded-update', 'state-progress'])
    if (!judged.has(law)) throw new Error(`${law} judged nothing: this is no pair pass`);
  if (result.verdict !== 'intact') throw new Error(`the healthy pair is ${result.verdict}`);
  const torch: Contender[] = setting.hasTorch
    ? [
        {
          name: 'torch, blocks',
          command: numpy('adam_pair.py', `torch-chunked ${setting.data}`, setting),
          rounds: 1,
        },
      ]
    : [];
  const measured = await compete(
    [
      { name: 'cat', command: `cat ${base} ${head} > /dev/null` },
      { name: 'laika', command: `${laika} validate ${head} ${flags} > /dev/null` },
      {
        name: 'laika, 1 thread',
        command: `${laika} validate ${head} ${flags} --threads 1 > /dev/null`,
      },
      {
        name: 'NumPy, blocks',
        command: numpy('adam_pair.py', `numpy-chunked ${setting.data}`, setting),
        rounds: 3,
      },
      {
        name: 'NumPy, whole',
        command: numpy('adam_pair.py', `numpy ${setting.data}`, setting),
        rounds: 1,
      },
      ...torch,
    ],
    setting.rounds,
  );
  const bytes = statSync(base as string).size + statSync(head as string).size;
  return {
    text: `${rows(measured, () => bytes)}\n\n${commands(measured, setting)}`,
    targets: [
      target('pair: laika / cat, clock', 0.7, ratio(measured, ['cat', 'laika'], 'wall')),
      target(
        'pair: laika / NumPy in blocks, CPU-second',
        2.5,
        ratio(measured, ['NumPy, blocks', 'laika'], 'cpu'),
      ),
    ],
  };
}
