/**
 * How fast is Laika?   npm run bench -- [kernels files pair recall profile dirty scaling start] [--data FOLDER]
 *   [--rounds N] [--gib N] [--pair-gib N] [--largest GB] [--python PATH] [--write]
 *
 * Answers every question, or those named. `--data` keeps the data there between runs (8 GiB and more
 * beside the page cache that it needs); `--write` puts each answer into benchmarks/results.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Answer, Target } from './answer.ts';
import { dirtySpeeds } from './dirty.ts';
import { fileSpeeds } from './files.ts';
import { kernelSpeeds } from './kernels.ts';
import { pairSpeeds } from './pair.ts';
import { profiles } from './profile.ts';
import { recallSpeeds } from './recall.ts';
import { scalingSpeeds } from './scaling.ts';
import { machine, packageVersion, prepareData, root, type Setting } from './setting.ts';
import { startSpeeds } from './start.ts';
import { table } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    gib: { type: 'string', default: '4' },
    'pair-gib': { type: 'string', default: '3' },
    largest: { type: 'string', default: '4' },
    python: { type: 'string', default: 'python3' },
    write: { type: 'boolean', default: false },
  },
});

const alone = (text: string): Answer => ({ text, targets: [] });

async function both(setting: Setting): Promise<Answer> {
  const [single, half] = [await fileSpeeds('f32', setting), await fileSpeeds('bf16', setting)];
  const text = `float32\n\n${single.text}\n\nbfloat16\n\n${half.text}`;
  return { text, targets: [...single.targets, ...half.targets] };
}

const sizes = [1e6, 1e7, 1e8, 1e9, Number(values.largest) * 1e9];

const questions: Readonly<Record<string, (setting: Setting) => Promise<Answer>>> = {
  kernels: async () => alone(await kernelSpeeds()),
  files: both,
  pair: pairSpeeds,
  recall: recallSpeeds,
  profile: profiles,
  dirty: dirtySpeeds,
  scaling: (setting) => scalingSpeeds(setting, [...new Set(sizes)]),
  start: startSpeeds,
};

function targetTable(targets: readonly Target[]): string {
  const rows = targets.map(({ what, aim, found, met }) => [
    what,
    aim,
    found.toFixed(2),
    met ? 'met' : 'MISSED',
  ]);
  return rows.length === 0 ? '' : `\n\n${table(['target', 'aim', 'found', ''], rows)}`;
}

const named = positionals.length > 0 ? positionals : Object.keys(questions);
const { python } = values;
const needsData = named.some((name) => name !== 'kernels');
const given = values.data ?? null;
const made = ['--gib', values.gib, '--pair-gib', values['pair-gib']];
const data = needsData ? prepareData(given, python, made) : null;
const setting: Setting = {
  data: data?.folder ?? '',
  rounds: Number(values.rounds),
  python,
  hasTorch: packageVersion(python, 'torch') !== null,
  hasWeightlens: packageVersion(python, 'weightlens') !== null,
};
try {
  for (const name of named) {
    const question = questions[name];
    if (!question) throw new Error(`no question ${name}: ${Object.keys(questions).join(', ')}`);
    const about = machine(python);
    const { text, targets } = await question(setting);
    const answer = `npm run bench -- ${name}\n\n${about}\n\n${text}${targetTable(targets)}\n`;
    process.stdout.write(`\n${answer}`);
    if (!values.write) continue;
    const results = join(root, 'benchmarks/results');
    mkdirSync(results, { recursive: true });
    writeFileSync(join(results, `speed-${name}.txt`), answer);
    writeFileSync(join(results, `speed-${name}.json`), `${JSON.stringify(targets, null, 1)}\n`);
  }
} finally {
  data?.forget();
}
