/** The docs say what the code says. `npm run docs` writes what is generated. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { laws } from '../src/laws/laws.ts';
import { rules } from '../src/verdict/rules.ts';

const place = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const read = (path: string) => readFileSync(place(path), 'utf8');

function rulesPage(): string {
  const lines = [
    '# Rules',
    '',
    'Written by `npm run docs` from the rules themselves; `laika rules ID` prints the same.',
    '',
  ];
  for (const { id, kind, title, paragraphs } of rules) {
    lines.push(`## ${id}`, '', `*${kind}.* ${title}${/[.!?]$/.test(title) ? '' : '.'}`, '');
    for (const [label, text] of paragraphs) lines.push(`**${label}.** ${text}`, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

describe('docs', () => {
  it('has a page of the rules that is theirs', () => {
    if (process.env.LAIKA_WRITE_DOCS) writeFileSync(place('docs/rules.md'), rulesPage());
    expect(read('docs/rules.md')).toBe(rulesPage());
  });

  it('explains every error code', () => {
    const source = read('src/checkpoint/errors.ts');
    const union = /export type ErrorCode =([^;]+);/.exec(source)?.[1] ?? '';
    const codes = [...union.matchAll(/'([a-z-]+)'/g)].map((match) => match[1] as string);
    expect(codes.length).toBeGreaterThan(5);
    const page = read('docs/errors.md');
    expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  it('has a test for every law', () => {
    const oracle = read('test/fixtures/laws/make.py');
    const own = ['test/laws/record-laws.test.ts', 'test/verdict/said.test.ts'].map(read).join();
    const untested = laws.filter(
      ({ id }) => !oracle.includes(`"${id}"`) && !own.includes(`'${id}'`),
    );
    expect(untested.map(({ id }) => id)).toEqual([]);
  });

  it('says in the README what the package says', () => {
    const manifest = JSON.parse(read('package.json'));
    const readme = read('README.md');
    expect(readme).toContain('npm ci && npm start');
    expect(readme).toContain('npm ci && npm test');
    expect(readme).toContain(manifest.engines.node.replace('>=', ''));
  });
});
