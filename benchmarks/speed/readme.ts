/** npm run bench:readme: puts the recorded targets into the README, between its two marks. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './answer.ts';
import { root } from './setting.ts';

const results = join(root, 'benchmarks/results');
const begin = '<!-- speed: npm run bench:readme -->';
const end = '<!-- /speed -->';

const names = ['files', 'pair', 'dirty', 'scaling', 'start'];

function targetsOf(name: string): Target[] {
  const path = join(results, `speed-${name}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Target[]) : [];
}

function aboutOf(name: string): string {
  const text = readFileSync(join(results, `speed-${name}.txt`), 'utf8');
  const line = (word: string) => new RegExp(`^${word} +(.*)$`, 'm').exec(text)?.[1] ?? 'unknown';
  return `${line('date')}, ${line('machine')}, Node ${line('node')}`;
}

const targets = names.flatMap(targetsOf);
const [recorded] = names.filter((name) => targetsOf(name).length > 0);
if (!recorded) throw new Error('no results: run npm run bench -- --write first');
const rows = targets.map(
  ({ what, aim, found, met }) =>
    `| ${what} | ${aim} | ${found.toFixed(2)}${met ? '' : ' (missed)'} |`,
);
const block = [
  begin,
  '| | aim | found |',
  '|---|---|---|',
  ...rows,
  '',
  `${aboutOf(recorded)}. Everything in \`benchmarks/results\`; again with \`npm run bench\`.`,
  end,
].join('\n');
const path = join(root, 'README.md');
const text = readFileSync(path, 'utf8');
const [from, to] = [text.indexOf(begin), text.indexOf(end)];
if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
writeFileSync(path, text.slice(0, from) + block + text.slice(to + end.length));
