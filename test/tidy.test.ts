/** The rules of the house, checked by a program. Each failure says what to do instead. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('fixtures') && !path.includes('node_modules'));
}

const sources = files('src', /\.ts$/).map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}));
const tests = files('test', /\.ts$/).map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}));

/** Left may not import right; folders with one number stand side by side. */
const order: Readonly<Record<string, number>> = {
  checkpoint: 0,
  records: 0,
  sources: 1,
  formats: 2,
  logs: 3,
  laws: 4,
  suspicions: 4,
  engines: 5,
  scan: 6,
  verdict: 7,
  history: 8,
  alerts: 9,
  watch: 10,
  server: 11,
  report: 12,
  postmortem: 13,
  demo: 14,
  cli: 15,
};

function room(path: string): string {
  return path.split('/')[1] as string;
}

function imports(text: string): string[] {
  const statement =
    /^(?:import|export|\}).*?from '([^']+)'|\b(?:import|require)\('([^']+)'\)|^import '([^']+)'/gm;
  return [...text.matchAll(statement)].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
}

describe('the way of the data', () => {
  it('is followed by every import: a folder imports only from its left', () => {
    const wrong = sources.flatMap(({ path, text }) => {
      const own = order[room(path)];
      if (own === undefined)
        return path.split('/').length > 2 ? [`${path}: a folder that the order does not know`] : [];
      return imports(text)
        .filter((name) => name.startsWith('.'))
        .map((name) => relative(root, resolve(root, dirname(path), name)))
        .filter((target) => target !== 'src/package.ts' && room(target) !== room(path))
        .filter((target) => !((order[room(target)] ?? 99) <= own))
        .map((target) => `${path} imports ${target}: hand it in as an argument instead`);
    });
    expect(wrong).toEqual([]);
  });

  it('meets each third-party package in one file (ws: its server and its client)', () => {
    const seen = new Map<string, string[]>();
    for (const { path, text } of sources) {
      for (const name of new Set(imports(text))) {
        if (name.startsWith('.') || name.startsWith('node:')) continue;
        seen.set(name, [...(seen.get(name) ?? []), path]);
      }
    }
    const allowed = (name: string) => (name === 'ws' ? 2 : 1);
    expect([...seen].filter(([name, paths]) => paths.length > allowed(name))).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const declared = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    expect([...seen.keys()].filter((name) => !declared.includes(name))).toEqual([]);
  });

  it('has no folder or file for leftovers', () => {
    expect(
      sources.filter(({ path }) => /(utils?|helpers?|common|misc)(\/|\.ts$)/.test(path)),
    ).toEqual([]);
  });
});

/** Lengths of functions, by Biome's layout: a body ends with a brace at its opening line's indent. */
function longFunctions(path: string, text: string): string[] {
  const lines = text.split('\n');
  const opens =
    /^(\s*)(export )?(async )?(static )?(async )?(function\b|[#\w]+\([^;]*\)[^;=]*\{$|(get|set) \w+|constructor|(const|let) \w+ = (async )?\(.*=> \{$).*\{$/;
  return lines.flatMap((line, start) => {
    const match = opens.exec(line);
    if (!match || /^\s*(if|for|while|switch|catch|else|return|do)\b/.test(line)) return [];
    const end = lines.findIndex((each, i) => i > start && each.startsWith(`${match[1]}}`));
    return end - start > 60 ? [`${path}:${start + 1} is ${end - start} lines long: split it`] : [];
  });
}

describe('sizes', () => {
  it('keeps files below 400 lines', () => {
    const all = [...sources, ...tests];
    expect(all.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path)).toEqual(
      [],
    );
  });

  it('keeps functions below 60 lines', () => {
    expect(sources.flatMap(({ path, text }) => longFunctions(path, text))).toEqual([]);
  });

  it('keeps lines below 100 columns, long addresses apart', () => {
    const wrong = [...sources, ...tests].flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, i) =>
          [...line].length > 120 && !/['"`/]/.test(line) ? [`${path}:${i + 1}`] : [],
        ),
    );
    expect(wrong).toEqual([]);
  });
});

interface Ban {
  readonly pattern: RegExp;
  readonly except: RegExp;
  readonly instead: string;
}

const bans: readonly Ban[] = [
  { pattern: /\bconsole\.\w+\(/, except: /^$/, instead: 'write to a stream that was handed in' },
  {
    pattern: /\bDate\.now\(|new Date\(\)/,
    except: /(system-)?clock\.ts$/,
    instead: 'take a clock',
  },
  { pattern: /Math\.random/, except: /^$/, instead: 'node:crypto at the edges, a seed elsewhere' },
  { pattern: /process\.(env|argv|cwd)/, except: /^src\/cli\//, instead: 'hand it in from cli' },
  { pattern: /\binnerHTML\b/, except: /^$/, instead: 'textContent' },
  { pattern: /fast-math|-Ofast/, except: /^$/, instead: 'it deletes what we look for' },
  { pattern: /@ts-ignore/, except: /^$/, instead: '@ts-expect-error with a reason' },
  { pattern: /\bTODO\b|\bFIXME\b|\bXXX\b/, except: /^$/, instead: 'do it, or leave it out' },
  { pattern: /catch \{\s*\}/, except: /^$/, instead: 'say what is swallowed and why' },
  { pattern: /\beval\(|new Function\(/, except: /^$/, instead: 'nothing is executed' },
];

describe('words', () => {
  for (const { pattern, except, instead } of bans) {
    it(`has no ${pattern.source} (${instead})`, () => {
      const wrong = sources.filter(({ path, text }) => !except.test(path) && pattern.test(text));
      expect(wrong.map(({ path }) => path)).toEqual([]);
    });
  }

  it('leaves no test focused and no trailing space', () => {
    const focused = tests.filter(
      ({ path, text }) => path !== 'test/tidy.test.ts' && /\.only\(/.test(text),
    );
    expect(focused.map(({ path }) => path)).toEqual([]);
    const spaced = [...sources, ...tests].filter(({ text }) => /[ \t]$/m.test(text));
    expect(spaced.map(({ path }) => path)).toEqual([]);
  });

  it('speaks of Laika alone: no path of a machine that built it', () => {
    const all = [...sources, ...tests, ...docs()];
    const wrong = all.filter(({ text }) => /(^|[^\w.])\/(work|farm)\//m.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('opens every source file with a sentence that says what it is', () => {
    const wrong = sources.filter(({ text }) => !/^\/\*\*|^#!/.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

function docs(): { path: string; text: string }[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'));
  const paths = [...top, ...files('docs', /\.md$/)];
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}
