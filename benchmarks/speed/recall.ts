/** What does it spare that the base was read before? */
import { linkSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, commands, rows } from './answer.ts';
import { compete, run } from './measure.ts';
import { laika, type Setting } from './setting.ts';
import { table } from './table.ts';

interface Judged {
  readonly verdict: string;
  readonly coverage: {
    readonly bytes_read: number;
    readonly bytes_recalled?: number;
  };
}

const kinds = { pair: 'all of it trained', tuned: 'two layers of 16 trained' } as const;

/** A run of two checkpoints, and what judges its second one with and without what is kept of the first. */
async function runOf(kind: keyof typeof kinds, { data }: Setting) {
  const folder = join(data, `run-${kind}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const [base, head] = [10, 20].map((step) => {
    const path = join(folder, `checkpoint-${step}.safetensors`);
    linkSync(join(data, `${kind}-${step}.safetensors`), path);
    return path;
  }) as [string, string];
  const flags = '--lr-max 1e-3';
  const known = `${laika} postmortem ${folder} ${flags}`;
  const first = `${laika} validate ${base} ${flags}`;
  const second = `${laika} validate ${head} --base ${base} ${flags}`;
  const json = async (command: string) =>
    JSON.parse((await run(`${command} --output json --reproducible`)).output) as Judged;
  const [spared, whole] = [await json(known), await json(second)];
  for (const { verdict } of [spared, whole])
    if (verdict !== 'intact') throw new Error(`${kind}: the healthy run is ${verdict}`);
  const bytes = 2 * statSync(base).size + statSync(head).size;
  return { known, each: `${first} > /dev/null && ${second}`, spared, whole, bytes };
}

/** Two checkpoints in one walk, which keeps what it read, against one command for each. */
export async function recallSpeeds(setting: Setting): Promise<Answer> {
  const parts: string[] = [];
  const read: string[][] = [];
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    const { known, each, spared, whole, bytes } = await runOf(kind, setting);
    const mb = (count: number) => Math.round(count / 1e6).toString();
    const { bytes_read: left, bytes_recalled: recalled = 0 } = spared.coverage;
    read.push([kinds[kind], mb(whole.coverage.bytes_read), mb(left), mb(recalled)]);
    const measured = await compete(
      [
        { name: 'one walk', command: `${known} > /dev/null` },
        { name: 'a command each', command: `${each} > /dev/null` },
      ],
      setting.rounds,
    );
    const title = `${kinds[kind]}, first and second checkpoint`;
    parts.push(`${title}\n\n${rows(measured, () => bytes)}\n\n${commands(measured, setting)}`);
  }
  const head = ['MB read for the second checkpoint', 'base unknown', 'base known', 'spared'];
  return { text: [table(head, read), ...parts].join('\n\n'), targets: [] };
}
