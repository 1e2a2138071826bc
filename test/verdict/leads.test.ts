/** Leads beside findings, through the whole way: what was planted is what is described. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { judge } from '../../src/verdict/judge.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const at = (step: number) =>
  fileURLToPath(
    new URL(`../fixtures/recorded/snapshot-gan/checkpoint-000${step}.safetensors`, import.meta.url),
  );
const folder = temporaryFolder();

/** Changes the bytes of one tensor of step 201 and says what pattern its findings tell. */
async function patternAfter(tensor: string, change: (bytes: Buffer) => void): Promise<string[]> {
  const { checkpoint, source } = await openCheckpoint(at(201));
  await source.close();
  const placement = checkpoint.tensors.find(({ name }) => name === tensor)?.placement;
  if (placement?.kind !== 'dense') throw new Error('the fixture has changed');
  const piece = placement.pieces[0] as { offset: number; elements: number };
  const bytes = readFileSync(at(201));
  change(bytes.subarray(piece.offset, piece.offset + 4 * piece.elements));
  const path = join(folder, 'damaged.safetensors');
  writeFileSync(path, bytes);
  const engine = await openEngine('auto');
  try {
    const result = await judge({ head: path, base: at(200), options: {}, engine, next: '' });
    expect(result.verdict).toBe('corrupt');
    return [
      ...new Set((result.findings ?? []).flatMap(({ lead }) => (lead ? [lead.pattern] : []))),
    ];
  } finally {
    await engine.close();
  }
}

it('calls one flipped bit by its name', async () => {
  const flip = (bytes: Buffer) =>
    bytes.writeUInt32LE((bytes.readUInt32LE(400) ^ (1 << 26)) >>> 0, 400);
  expect(await patternAfter('parameter/g.2.weight', flip)).toEqual(['single-bit']);
});

it('sees that a stretch became zero', async () => {
  const [pattern] = await patternAfter('exp_avg_sq/g.2.weight', (bytes) => bytes.fill(0, 0, 4096));
  expect(pattern).toMatch(/^zero-/);
});

it('says nothing about a healthy pair', async () => {
  const engine = await openEngine('auto');
  try {
    const result = await judge({ head: at(201), base: at(200), options: {}, engine, next: '' });
    expect(result.findings).toEqual([]);
  } finally {
    await engine.close();
  }
});
