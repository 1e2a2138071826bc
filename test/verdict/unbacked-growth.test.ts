/** A second moment flipped upward between distant checkpoints: no law forbids it, and it is not called fine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { judgePair, serious } from '../formats/judge-pair.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const at = (step: string) =>
  fileURLToPath(new URL(`../../src/demo/run/checkpoint-${step}.safetensors`, import.meta.url));
const folder = temporaryFolder();

it.each(['embed.weight', 'head.weight', 'up.bias'])('is suspected in %s', async (parameter) => {
  const { checkpoint, source } = await openCheckpoint(at('0100'));
  await source.close();
  const name = `exp_avg_sq/${parameter}`;
  const placement = checkpoint.tensors.find((each) => each.name === name)?.placement;
  if (placement?.kind !== 'dense') throw new Error('the run has changed');
  const bytes = readFileSync(at('0100'));
  const element = (placement.pieces[0]?.offset ?? 0) + 4 * 11;
  bytes.writeUInt32LE((bytes.readUInt32LE(element) | (1 << 30)) >>> 0, element);
  const head = join(folder, `${parameter}.safetensors`);
  writeFileSync(head, bytes);
  const result = await judgePair(head, at('0080'));
  expect(result.verdict).toBe('suspect');
  expect(serious(result)).toMatchObject([
    { rule: 'unbacked-growth', certainty: 'suspected', tensor: name, element: { index: 11 } },
  ]);
});

it('is suspected of nothing where the run is healthy', async () => {
  expect(serious(await judgePair(at('0100'), at('0080')))).toEqual([]);
});
