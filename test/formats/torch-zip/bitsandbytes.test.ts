/** States of bitsandbytes 0.50.2 (AdamW8bit, torch 2.15): quantized, in a dictionary of their own. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judgePair, serious } from '../judge-pair.ts';
import { placeOf } from '../judged-pairs.ts';
import { fixtures } from './golden-state.ts';

const at = (step: number) => join(fixtures, 'bitsandbytes', `step-${step}.pt`);
const inner = (key: string) => `optimizer.state.0.__bnb_optimizer_quant_state__.${key}`;

/** A copy of the later checkpoint with one float32 overwritten. */
async function withValue(key: string, element: number, value: number): Promise<string> {
  const copy = join(temporaryFolder(), 'step-3.pt');
  copyFileSync(at(3), copy);
  const { file, offset } = await placeOf(copy, inner(key), element);
  const bytes = readFileSync(copy);
  bytes.writeFloatLE(value, offset);
  writeFileSync(join(dirname(copy), basename(file)), bytes);
  return copy;
}

it('are found, with the roles of moments and scales', async () => {
  const { checkpoint, source } = await openCheckpoint(at(3));
  await source.close();
  const roles = Object.fromEntries(checkpoint.tensors.map(({ name, role }) => [name, role]));
  expect(roles).toMatchObject({
    [inner('state1')]: 'first-moment',
    [inner('state2')]: 'second-moment',
    [inner('absmax1')]: 'scale',
    [inner('absmax2')]: 'scale',
    [inner('qmap2')]: 'other',
  });
  expect(checkpoint.optimizers[0]?.parameters.map(({ step }) => step)).toEqual([3, 3]);
});

it('of healthy training say nothing, and are never called intact', async () => {
  const result = await judgePair(at(3), at(2));
  expect(result.verdict).toBe('unremarkable');
  expect(serious(result)).toEqual([]);
});

it.each([
  ['absmax2', Number.NaN, 'finite-values'],
  ['absmax1', -1e-3, 'block-scale'],
  ['qmap1', 0.5, 'constant-buffers'],
])('with %s of %d are corrupt by %s', async (key, value, rule) => {
  const { verdict, findings } = await judgePair(await withValue(key, 5, value), at(2));
  expect(verdict).toBe('corrupt');
  const law = findings?.find((each) => each.rule === rule);
  expect(law).toMatchObject({ tensor: inner(key), element: { index: 5 }, certainty: 'confirmed' });
});
