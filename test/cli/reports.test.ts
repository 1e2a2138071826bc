/** What people and pipelines read: text of 80 columns, JUnit that a parser accepts, names made safe. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { flipBit } from '../../src/demo/flip-bit.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { laika, laikaJson } from './laika.ts';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
const base = fixture('recorded/snapshot-gan/checkpoint-000200.safetensors');
const head = fixture('recorded/snapshot-gan/checkpoint-000201.safetensors');
const fault = { tensor: 'exp_avg_sq/g.2.weight', element: 1000, bit: 27 };
const folder = temporaryFolder();
const damaged = join(folder, 'checkpoint-201.safetensors');

beforeAll(() => {
  writeFileSync(damaged, flipBit(head, fault).bytes);
});

describe('text', () => {
  it('says verdict, element, law, both ends, the flip, whom to trust and how to see it again', async () => {
    const { code, stdout } = await laika(['validate', damaged, '--base', base]);
    expect(code).toBe(1);
    const order = [
      'CORRUPT',
      'exp_avg_sq/g.2.weight',
      '(element 1000)',
      'rule ',
      'base ',
      'head ',
      'one flip of bit 27 explains it',
      'means ',
      'trust ',
      'again ',
      'checked ',
    ].map((word) => stdout.replaceAll(/\s+/g, ' ').indexOf(word));
    expect(order).not.toContain(-1);
    expect([...order].sort((a, b) => a - b)).toEqual(order);
    const long = stdout.split('\n').filter((line) => line.length > 80 && !line.includes('/'));
    expect(long).toEqual([]);
  });

  it('shows the finding again by the command that it names', async () => {
    const { result } = await laikaJson(['validate', damaged, '--base', base]);
    const [finding] = result.findings ?? [];
    const [program, ...words] = (finding?.next ?? '').split(' ');
    expect(program).toBe('laika');
    expect((await laika(words)).code).toBe(1);
  });

  it('escapes names from files', async () => {
    for (const name of ['st-name-terminal', 'st-name-bidi', 'st-name-newline', 'st-name-nul']) {
      const { stdout, stderr } = await laika(['inspect', fixture(`hostile/${name}.safetensors`)]);
      const raw = [...(stdout + stderr)].filter((character) => {
        const code = character.charCodeAt(0);
        return (code < 32 && code !== 10) || (code >= 0x7f && code < 0xa0) || code === 0x202e;
      });
      expect(raw, name).toEqual([]);
    }
  });
});

describe('junit', () => {
  it('has a case for each rule, failed where it is broken', async () => {
    const file = join(folder, 'report.xml');
    const { code, stdout } = await laika([
      'validate',
      damaged,
      '--base',
      base,
      '--output',
      `junit:${file}`,
    ]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    const xml = readFileSync(file, 'utf8');
    const failures = [...xml.matchAll(/<testcase [^>]*name="([^"]+)">\s*<failure/g)].map(
      (m) => m[1],
    );
    expect(failures).toContain('replay-moments');
    const tests = Number(/<testsuites [^>]*tests="(\d+)"/.exec(xml)?.[1]);
    expect([...xml.matchAll(/<testcase /g)].length).toBe(tests);
    expect(Number(/failures="(\d+)"/.exec(xml)?.[1])).toBe(failures.length);
  });
});

describe('json', () => {
  it('names law, element, both ends in numbers and bits', async () => {
    const { result } = await laikaJson(['validate', damaged, '--base', base]);
    const finding = result.findings?.find(({ rule }) => rule === 'replay-moments');
    const { planted } = flipBit(head, fault);
    expect(finding).toMatchObject({
      certainty: 'confirmed',
      parameter: 'parameter/g.2.weight',
      element: { index: 1000 },
      bits: { flip: 27 },
      values: { head: { second_moment: planted.after } },
    });
    expect(result.trusted).toMatchObject({ checkpoint: base, step: 200 });
  });
});

describe('rules and doctor', () => {
  it('prints one rule in full', async () => {
    const { code, stdout } = await laika(['rules', 'moment-increment']);
    expect(code).toBe(0);
    for (const part of ['Statement', 'Why it must hold', 'Needs', 'Cost', 'Cannot see']) {
      expect(stdout).toContain(part);
    }
  });

  it('finds both engines in order', async () => {
    const { code, stdout } = await laika(['doctor']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/reference\s+ok/);
    expect(stdout).toMatch(/wasm\s+ok/);
  });
});
