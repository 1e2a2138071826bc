/** Bad input ends in the right exit code and one clear message: what, where, why, what next. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { laika, laikaInto } from './laika.ts';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
const healthy = fixture('recorded/snapshot-gan/checkpoint-000110.safetensors');
let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'laika-errors-'));
  const bytes = readFileSync(healthy);
  writeFileSync(at('empty.pt'), '');
  writeFileSync(at('empty.safetensors'), '');
  writeFileSync(at('cut.safetensors'), bytes.subarray(0, bytes.length - 1000));
  writeFileSync(at('notes.txt'), 'lr was too high today\n');
  writeFileSync(at('huge.safetensors'), Buffer.concat([Buffer.alloc(8, 0xff), bytes.subarray(8)]));
  mkdirSync(at('nothing'));
  mkdirSync(at('run'));
  copyFileSync(healthy, at('run/checkpoint-000110.safetensors'));
  mkdirSync(at('torn-run'));
  copyFileSync(healthy, at('torn-run/checkpoint-000110.safetensors'));
  copyFileSync(at('cut.safetensors'), at('torn-run/checkpoint-000120.safetensors'));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function shown(words: readonly string[]): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await laika(words);
  const text = stdout + stderr;
  expect(text).not.toMatch(/\n\s+at .+:\d+:\d+/);
  for (const line of text.split('\n')) expect([...line].length).toBeLessThanOrEqual(160);
  return { code, text };
}

describe('what cannot be checked ends with 2, and says what helps', () => {
  it.each([
    ['a missing path', ['validate', '/nowhere/at/all.pt'], /no such|not there|missing/i],
    ['a text file', ['validate', 'notes.txt'], /text/],
    ['a folder without checkpoints', ['validate', 'nothing'], /no checkpoint/i],
    ['threads that are no number', ['validate', 'run', '--threads', '1.5'], /--threads 1\.5/],
    ['a rate that is none', ['validate', 'run', '--io-limit', 'fast'], /--io-limit fast/],
    ['an engine that is not built', ['validate', 'run', '--engine', 'cuda'], /cuda/],
    ['an engine that is none', ['validate', 'run', '--engine', 'abacus'], /abacus/],
    ['a rate that is no number', ['validate', 'run', '--lr-max', 'fast'], /--lr-max fast/],
    ['a declaration that is none', ['validate', 'run', '--optimizer', 'adamw'], /--optimizer/],
    ['an output that is none', ['validate', 'run', '--output', 'pdf'], /--output pdf/],
    ['a threshold that is none', ['validate', 'run', '--fail-on', 'fine'], /--fail-on fine/],
    ['a log that is not there', ['validate', 'run', '--log', 'gone.jsonl'], /gone\.jsonl/],
    ['a rule that is none', ['rules', 'moment-abound'], /no such rule/],
    ['a command that is none', ['valdate', 'run'], /unknown command|Did you mean/],
    ['a rule that cannot be required', ['validate', 'run', '--require', 'moment'], /no such rule/],
    ['more coverage than all', ['validate', 'run', '--min-coverage', '101'], /from 0 to 100/],
    ['an empty path', ['validate', ''], /argument is empty/],
    ['an empty base', ['validate', 'run', '--base', ''], /argument is empty/],
    ['rules in a form that is none', ['rules', '--output', 'xml'], /--output xml/],
    ['a pause that no timer counts', ['watch', 'run', '--interval', '1e12'], /--interval 1e12/],
    ['an address that is none', ['tail', 'localhost', '--state-dir', 'nothing'], /not the address/],
    ['a base beside copies', ['validate', 'run', '--base', 'a', '--replicas', 'b'], /--base/],
    ['a decay above 1', ['validate', 'run', '--optimizer', 'beta2=9'], /decay above 1/],
    ['a place that is none', ['tail', '--since', 'noon', '--state-dir', 'nothing'], /--since noon/],
    ['a watcher that is not there', ['tail', '--state-dir', 'nothing', '--once'], /watcher/],
  ])('%s', async (_name, words, message) => {
    const inFolder = words.map((word) =>
      /^(notes\.txt|nothing|run|gone\.jsonl)$/.test(word) ? at(word) : word,
    );
    const { code, text } = await shown(inFolder);
    expect(code).toBe(2);
    expect(text).toMatch(message);
  });

  it('names a log once, and the line', async () => {
    const { text } = await shown(['validate', at('run'), '--log', at('notes.txt')]);
    expect(text).toMatch(/where {2}\S*notes\.txt: line 1\n/);
  });

  it('offers for a watcher only what it takes', async () => {
    const { stdout } = await laika(['watch', '--help']);
    expect(stdout).toMatch(/--output <format> /);
    expect(stdout).not.toMatch(/junit|--reproducible/);
  });

  it('puts the same four into the document for programs', async () => {
    const { code, stdout } = await laika(['validate', at('notes.txt'), '--output', 'json']);
    expect(code).toBe(2);
    const { error, verdict } = JSON.parse(stdout);
    expect(verdict).toBe('unverified');
    expect(Object.keys(error)).toEqual(expect.arrayContaining(['code', 'what', 'where', 'next']));
  });
});

describe('damage ends with 1, and is a finding', () => {
  it.each([
    ['an empty .pt', 'empty.pt', /file-truncated/],
    ['an empty .safetensors', 'empty.safetensors', /file-truncated/],
    ['a cut file', 'cut.safetensors', /file-truncated|tensor-out-of-bounds/],
    ['a header that lies', 'huge.safetensors', /header-invalid|file-truncated/],
  ])('%s', async (_name, file, rule) => {
    const { code, text } = await shown(['validate', at(file)]);
    expect(code).toBe(1);
    expect(text).toMatch(/^CORRUPT/);
    expect(text).toMatch(rule);
  });

  it('is 1 also for a call to code in a pickle, which is never run', async () => {
    const { code, text } = await shown(['validate', fixture('hostile/pt-calls-os-system.pt')]);
    expect(code).toBe(1);
    expect(text).toMatch(/code-in-pickle/);
    expect(text.split('\n')).not.toContain('pwned');
  });
});

describe('exit codes', () => {
  it('is 3 where nothing could be checked at all', async () => {
    expect((await laika(['validate', fixture('hostile/st-no-tensors.safetensors')])).code).toBe(3);
  });

  it('is 2 where a required law judged nothing, and 0 where only a report was asked for', async () => {
    const required = await laika(['validate', healthy, '--require', 'moment-increment']);
    expect(required.code).toBe(2);
    expect(required.stderr).toMatch(/--require moment-increment/);
    expect((await laika(['validate', at('cut.safetensors'), '--exit-zero'])).code).toBe(0);
  });

  it('judges the newest checkpoint of a run folder that is complete, and names newer ones', async () => {
    const { code, stdout, stderr } = await laika(['validate', at('torn-run')]);
    expect(stderr).toMatch(/newer, but not complete: .*checkpoint-000120/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/INTACT .*checkpoint-000110/);
  });
});

describe('watch', () => {
  it('records nothing where a flag is wrong: it would not be judged again', async () => {
    const words = ['watch', at('run'), '--once', '--state-dir', at('flag-state')];
    const { code, text } = await shown([...words, '--optimizer', 'adamw']);
    expect(code).toBe(2);
    expect(text).toMatch(/^laika: not a declaration/);
    expect((await laika([...words, '--log', at('gone.jsonl')])).code).toBe(2);
    const { stdout } = await laika(words);
    expect(stdout).toMatch(/ intact .*checkpoint-000110/);
    expect(stdout).not.toMatch(/judged before/);
  });

  it('says why a look at a folder ends with 2 or 3', async () => {
    const state = ['--once', '--state-dir', at('look-state')];
    const empty = await shown(['watch', at('nothing'), ...state]);
    expect(empty.code).toBe(3);
    expect(empty.text).toMatch(/no complete checkpoint/);
    const required = ['--require', 'moment-increment'];
    const torn = await shown(['watch', at('torn-run'), at('torn-run'), ...state, ...required]);
    expect(torn.code).toBe(2);
    expect(torn.text).toMatch(/not complete, not judged: .*checkpoint-000120/);
    expect(torn.text.match(/--require moment-increment: it judged nothing/g)).toHaveLength(1);
    const file = await shown(['watch', healthy, ...state]);
    expect(file.code).toBe(2);
    expect(file.text).toMatch(/follows folders/);
  });

  it('serves on a Unix socket where one is given, and at one place only', async () => {
    const words = ['watch', at('run'), '--once', '--state-dir', at('watch-state')];
    const socket = ['--socket', at('watch.sock')];
    const { code, stderr } = await laika([...words, ...socket]);
    expect(code, stderr).toBe(0);
    const { code: both, text } = await shown([...words, ...socket, '--listen', '127.0.0.1:0']);
    expect(both).toBe(2);
    expect(text).toMatch(/at one place/);
  });
});

describe('output', () => {
  const full = '/dev/full';

  it.skipIf(!existsSync(full))(
    'that cannot be written ends with 2, and with one line',
    async () => {
      const { code, stderr } = await laikaInto(full, ['validate', healthy]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^laika: standard output cannot be written: .*\n$/);
      expect((await laikaInto(full, ['validate', at('cut.safetensors')])).code).toBe(1);
    },
  );
});

describe('a program that ends before its work is done', () => {
  it('says so and does not end with 0', () => {
    const load = fileURLToPath(new URL('../../bin/load.js', import.meta.url));
    const script = `
      WebAssembly.compile = () => new Promise(() => {});
      require(${JSON.stringify(load)}).load('laika')
        .main(['node', 'laika', 'validate', ${JSON.stringify(healthy)}, '--engine', 'wasm']);`;
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(status).toBe(70);
    expect(stderr).toMatch(/^laika: this is a bug in Laika: it ended before its work was done\n$/);
  });
});

describe('configuration', () => {
  it('names an unknown key and the one that was meant', async () => {
    writeFileSync(at('laika.json'), '{"failOm": "suspect"}');
    const { code, text } = await shown(['validate', at('run'), '--config', at('laika.json')]);
    expect(code).toBe(2);
    expect(text).toMatch(/failOm/);
    expect(text).toMatch(/failOn/);
  });

  it('is overruled by flags', async () => {
    writeFileSync(at('strict.json'), '{"require": ["moment-increment"]}');
    const strict = ['validate', healthy, '--config', at('strict.json')];
    expect((await laika(strict)).code).toBe(2);
    expect((await laika([...strict, '--require', 'moment-bound'])).code).toBe(0);
  });
});
