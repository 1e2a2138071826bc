/** Every document that Laika prints fits the schema that it ships. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import schema from '../../src/verdict/result.schema.json' with { type: 'json' };
import { laika } from '../cli/laika.ts';
import { emptyFolder } from '../formats/altered-copy.ts';

const valid = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);
const recorded = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

async function document(words: readonly string[]): Promise<unknown> {
  const { stdout } = await laika([...words, '--output', 'json']);
  return JSON.parse(stdout);
}

function check(document: unknown): void {
  valid(document);
  expect(valid.errors).toBeNull();
}

describe('the result document', () => {
  it('fits its schema for a healthy pair, and says the same for the same bytes', async () => {
    const words = [
      'validate',
      recorded('recorded/snapshot-gan/checkpoint-000201.safetensors'),
      '--base',
      recorded('recorded/snapshot-gan/checkpoint-000200.safetensors'),
      '--reproducible',
    ];
    const first = await document(words);
    check(first);
    expect(await document(words)).toEqual(first);
  });

  it('fits its schema for a listing with every element type', async () => {
    check(await document(['inspect', recorded('formats/torch-2.13-zip/tensors.pt'), '--digest']));
  });

  it('fits its schema for damage and for what cannot be checked', async () => {
    check(await document(['validate', recorded('hostile/pt-calls-os-system.pt')]));
    const folder = emptyFolder();
    writeFileSync(join(folder, 'notes.txt'), 'no checkpoint');
    const document1 = await document(['validate', join(folder, 'notes.txt')]);
    check(document1);
    expect(document1).toHaveProperty('error.code', 'not-a-checkpoint');
  });

  it('refuses what is not one', () => {
    expect(valid({ schema: 'laika.result/1' })).toBe(false);
    expect(
      valid({ schema: 'laika.result/1', laika: { version: '1', rules: 'x' }, verdict: 'fine' }),
    ).toBe(false);
  });
});
