/** The verdict about a checkpoint, with the engine that every run uses. */
import { afterAll } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine } from '../../src/engines/engine.ts';
import type { ScanOptions } from '../../src/scan/options.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';

let engine: Promise<Engine> | null = null;

afterAll(async () => (await engine)?.close());

export async function judged(
  head: string,
  base: string | null,
  options: ScanOptions,
): Promise<Result> {
  engine ??= openEngine('auto');
  return judge({ head, base, options, engine: await engine, next: 'again' });
}
