/** The verdict on a checkpoint against an earlier one of its run. */
import { openEngine } from '../../src/engines/choose.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Finding, Result } from '../../src/verdict/result.ts';

export async function judgePair(head: string, base: string): Promise<Result> {
  const engine = await openEngine('reference');
  try {
    return await judge({ head, base, options: { log: null }, engine, next: 'again' });
  } finally {
    await engine.close();
  }
}

/** What the verdict rests on: notes aside. */
export function serious(result: Result): readonly Finding[] {
  return (result.findings ?? []).filter(({ severity }) => severity !== 'info');
}
