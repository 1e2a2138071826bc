/** Cases of real runs, healthy and damaged by recipe: staged as files, judged by an engine. */
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, inflateSync } from 'node:zlib';
import type { Engine } from '../../src/engines/engine.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';

export interface RecordedCase {
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

export const recordedCases: readonly RecordedCase[] = JSON.parse(
  readFileSync(join(folder, 'cases.json'), 'utf8'),
);

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

/** Puts the case's checkpoints in a folder below `place` and judges the pair with each engine. */
export async function judgeCase(
  each: RecordedCase,
  engines: readonly Engine[],
  place: string,
): Promise<Result[]> {
  const stage = mkdtempSync(join(place, 'case-'));
  const at = (path: string) => join(stage, basename(path));
  for (const path of Object.values(each.files)) cpSync(join(folder, path), at(path));
  for (const patch of planted[each.id] ?? []) {
    writeFileSync(at(patch.file), patched(readFileSync(at(patch.file)), patch));
  }
  const log = each.log ? await readLogs([join(folder, each.run, 'metrics.jsonl')]) : null;
  const head = at(each.files.head);
  const base = at(each.files.base);
  const results: Result[] = [];
  for (const engine of engines) {
    results.push(await judge({ head, base, options: { log }, engine, next: 'again' }));
  }
  return results;
}
