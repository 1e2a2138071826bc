import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import type { OpenedDcp } from '../../../src/formats/dcp/open-dcp.ts';
import { type CommonState, readCommonState } from '../../../src/formats/megatron/common-state.ts';
import { TorchParts } from '../../../src/formats/torch-parts.ts';
import { openLocalSource } from '../../../src/sources/local.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures/megatron-common');
const temporary = temporaryFolder();
const noItems = { values: new Map() } as Pick<OpenedDcp, 'values'> as OpenedDcp;

async function read(path: string): Promise<CommonState> {
  const source = await openLocalSource(path);
  const [file] = await source.list();
  const common = await readCommonState(new TorchParts(source), file, noItems);
  await source.close();
  return common;
}

it('finds the groups of the one optimizer that NeMo 2 keeps in a list', async () => {
  const { iteration, groups, step } = await read(join(fixtures, 'nemo.pt'));
  expect(iteration).toBe(6);
  expect(groups.map(({ hyper }) => hyper.get('betas'))).toEqual([
    [0.9, 0.95],
    [0.9, 0.95],
  ]);
  expect(groups.map(({ hyper }) => hyper.get('step'))).toEqual([6, 6]);
  expect(step).toBeNull();
});

it('has the count of a chain of optimizers, which all of them tell', async () => {
  const { iteration, groups, step, tensors } = await read(join(fixtures, 'chain.pt'));
  expect([iteration, step]).toEqual([6, 6]);
  expect(groups.map(({ hyper }) => hyper.get('betas'))).toContainEqual([0.9, 0.95]);
  const counters = tensors.filter(({ role }) => role === 'step').map(({ name }) => name);
  expect(counters).toEqual([0, 1].map((n) => `optimizer.${n}.optimizer.state.common_step`));
});

it('has no count where the optimizers of a chain differ', async () => {
  const bytes = readFileSync(join(fixtures, 'chain.pt'));
  const six = Buffer.from(new Float32Array([6]).buffer);
  const at = bytes.indexOf(six);
  expect(at).toBeGreaterThan(0);
  bytes.writeFloatLE(5, at);
  const path = join(temporary, 'differ.pt');
  writeFileSync(path, bytes);
  expect((await read(path)).step).toBeNull();
});
