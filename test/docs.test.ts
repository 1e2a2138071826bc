/** The docs say what the code says. `npm run docs` writes what is generated. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formats } from '../src/formats/registry.ts';
import { support } from '../src/formats/support.ts';
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

interface Listing {
  readonly layout: string;
  readonly written_by: Readonly<Record<string, string>>;
}

/** Framework versions whose own files are read in the tests, by layout. */
function verifiedWith(): Map<string, Map<string, Set<string>>> {
  const found = new Map<string, Map<string, Set<string>>>();
  for (const name of readdirSync(place('test/fixtures/formats'))) {
    const path = `test/fixtures/formats/${name}/expected.json`;
    if (!existsSync(place(path))) continue;
    const { layout, written_by: writers } = JSON.parse(read(path)) as Listing;
    for (const each of layout.split(', ')) {
      const versions = found.get(each) ?? new Map<string, Set<string>>();
      for (const [writer, version] of Object.entries(writers)) {
        if (writer === 'python' || writer === 'ranks') continue;
        const plain = version.replace(/[+ ].*$/, '').replace(/a0$/, '');
        versions.set(writer, (versions.get(writer) ?? new Set()).add(plain));
      }
      found.set(each, versions);
    }
  }
  return found;
}

/** Layouts of training logs. */
const isLog = (layout: string) => ['metrics-jsonl', 'tensorboard', 'wandb'].includes(layout);

const tableMark = '<!-- layouts, written by npm run docs -->';

function layoutsTable(): string {
  const verified = verifiedWith();
  const head = [
    'layout',
    'state and names',
    'roles',
    'ready when',
    'integrity',
    'verified on files of',
  ];
  const rows = Object.entries(support).map(([layout, row]) => {
    const writers = [...(verified.get(layout) ?? [])].map(
      ([writer, versions]) => `${writer.replace('_', '-')} ${[...versions].sort().join(', ')}`,
    );
    const files = writers.length > 0 ? writers.join('; ') : 'by layout only';
    return [`\`${layout}\``, row.names, row.roles, row.ready, row.integrity, files];
  });
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

describe('docs', () => {
  it('has a table of the layouts in the README that is theirs', () => {
    const [before, , after] = read('README.md').split(tableMark);
    const whole = `${before}${tableMark}\n\n${layoutsTable()}\n\n${tableMark}${after}`;
    if (process.env.LAIKA_WRITE_DOCS) writeFileSync(place('README.md'), whole);
    expect(read('README.md')).toBe(whole);
    const told = new Set(Object.keys(support));
    expect(formats.map(({ id }) => id).filter((id) => !told.has(id))).toEqual([]);
    expect([...verifiedWith().keys()].filter((each) => !told.has(each) && !isLog(each))).toEqual(
      [],
    );
  });

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
