/** Real runs, healthy and damaged by recipe, through the whole way of the data: files in, verdict out. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';

interface Case {
  readonly id: string;
  readonly run: string;
  readonly class: string;
  readonly files: { readonly head: string; readonly base: string };
  readonly log: boolean;
  readonly accept: readonly string[];
  readonly parameters: readonly string[] | null;
  readonly index: number | null;
}

interface Patch {
  readonly file: string;
  readonly truncate?: number;
  readonly offset?: number;
  readonly bytes?: string;
  readonly replace?: string;
}

const folder = fileURLToPath(new URL('../fixtures/recorded/', import.meta.url));
const cases: Case[] = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const planted: Record<string, Patch[]> = JSON.parse(
  gunzipSync(readFileSync(join(folder, 'planted.json.gz'))).toString(),
);

function patched(data: Buffer, patch: Patch): Buffer {
  if (patch.truncate !== undefined) return data.subarray(0, patch.truncate);
  if (patch.replace !== undefined) return inflateSync(Buffer.from(patch.replace, 'base64'));
  const bytes = inflateSync(Buffer.from(patch.bytes as string, 'base64'));
  const copy = Buffer.from(data);
  bytes.copy(copy, patch.offset as number);
  return copy;
}

let engine: Engine;
const place = mkdtempSync(join(tmpdir(), 'laika-recorded-'));

beforeAll(async () => {
  engine = await openEngine('auto');
});

afterAll(async () => {
  await engine.close();
  rmSync(place, { recursive: true });
});

async function judged(each: Case): Promise<Result> {
  const stage = mkdtempSync(join(place, 'case-'));
  const at = (path: string) => join(stage, basename(path));
  for (const path of Object.values(each.files)) cpSync(join(folder, path), at(path));
  for (const patch of planted[each.id] ?? []) {
    writeFileSync(at(patch.file), patched(readFileSync(at(patch.file)), patch));
  }
  const log = each.log ? await readLogs([join(folder, each.run, 'metrics.jsonl')]) : null;
  const { head, base } = each.files;
  return judge({ head: at(head), base: at(base), options: { log }, engine, next: 'again' });
}

const of = (name: string) => cases.filter((each) => each.class === name);

describe('recorded runs', () => {
  it('has cases of every class', () => {
    for (const name of ['clean', 'provable', 'structural', 'invisible', 'lineage', 'declaration']) {
      expect(of(name).length, name).toBeGreaterThan(0);
    }
  });

  it.each(of('clean'))('$id: healthy, and the laws really ran', async (each) => {
    const result = await judged(each);
    expect(result.verdict).toBe('intact');
    expect(result.findings?.filter(({ severity }) => severity !== 'info')).toEqual([]);
    if (each.files.head === each.files.base) return;
    const rule = result.coverage?.rules.find(({ rule: id }) => id === 'moment-increment');
    expect(Number(rule?.elements) / Number(rule?.of)).toBeGreaterThan(0.95);
  });

  it.each(of('provable'))('$id: confirmed, with tensor and element', async (each) => {
    const result = await judged(each);
    expect(each.accept).toContain(result.verdict);
    if (result.verdict !== 'corrupt' || !each.parameters) return;
    const told = JSON.stringify(result.findings);
    expect(each.parameters.some((name) => told.includes(name))).toBe(true);
    if (each.index === null || each.index === undefined) return;
    expect(result.findings?.some(({ element }) => element?.index === each.index)).toBe(true);
  });

  it.each(of('structural'))('$id: the container is damaged', async (each) => {
    const result = await judged(each);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.some(({ kind }) => kind === 'structure')).toBe(true);
  });

  it.each([...of('invisible'), ...of('lineage'), ...of('declaration')])(
    '$id: says no more than can be known',
    async (each) => {
      expect(each.accept).toContain((await judged(each)).verdict);
    },
  );
});
