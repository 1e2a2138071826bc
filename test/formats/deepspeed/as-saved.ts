/** Compares a tag of DeepSpeed with what the framework held when it saved it. */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { deepspeed } from '../../../src/formats/deepspeed/deepspeed.ts';
import { told } from '../folder-format.ts';
import { digestOf, type expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';
import { openPath } from '../torch-zip/opened.ts';

type Expected = ReturnType<typeof expectedStateOf>['checkpoints'][number];

/** Step, completeness and every tensor's bytes, and no problem is told. */
export async function expectAsSaved(name: string, expected: Expected): Promise<Checkpoint> {
  const { checkpoint, source } = await openPath(join(fixtures, name, expected.path), deepspeed);
  expect(checkpoint).toMatchObject({ step: expected.step, complete: true });
  expect(told(checkpoint)).toEqual([]);
  for (const { name, role, parameter, dtype, shape, sha256 } of expected.tensors) {
    const found = checkpoint.tensors.find((each) => each.name === name);
    expect(found, name).toMatchObject({ role, parameter, dtype, shape });
    if (found) expect(await digestOf(source, found), name).toBe(sha256);
  }
  await source.close();
  return checkpoint;
}
