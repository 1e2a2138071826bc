/** Judges pairs of fixtures, and plants bits where a tensor's element lies. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';

/** `judge` with an engine that lives as long as the tests of the file. */
export function judgePairs(): (base: string, head: string) => Promise<Result> {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine('auto');
  });
  afterAll(() => engine.close());
  return (base, head) => judge({ head, base, options: { log: null }, engine, next: 'again' });
}

/** Findings that say something is wrong, as rule and tensor. */
export function wrongsOf({ findings }: Result): (string | undefined)[][] {
  const wrong = (findings ?? []).filter(({ severity }) => severity !== 'info');
  return wrong.map(({ rule, tensor, file }) => [rule, tensor ?? file]);
}

/** Share of the rule's elements that were judged. */
export function judgedShare({ coverage }: Result, rule: string): number {
  const found = coverage?.rules.find((each) => each.rule === rule);
  return found ? Number(found.elements) / Number(found.of) : 0;
}

/** Where an element of a dense float32 tensor lies. */
export async function placeOf(
  folder: string,
  name: string,
  element: number,
): Promise<{ file: string; offset: number }> {
  const { checkpoint, source } = await openCheckpoint(folder);
  await source.close();
  const placement = checkpoint.tensors.find((tensor) => tensor.name === name)?.placement;
  let left = element;
  for (const piece of placement?.kind === 'dense' ? placement.pieces : []) {
    if (left < piece.elements) return { file: piece.file, offset: piece.offset + 4 * left };
    left -= piece.elements;
  }
  throw new Error(`no element ${element} in ${name}`);
}

/** Turns the highest bit of a float32's exponent, and returns the file that it lies in. */
export async function flipExponent(folder: string, name: string, element: number): Promise<string> {
  const { file, offset } = await placeOf(folder, name, element);
  const path = join(folder, file);
  const bytes = readFileSync(path);
  bytes[offset + 3] = (bytes[offset + 3] as number) ^ 0x40;
  writeFileSync(path, bytes);
  return file;
}
