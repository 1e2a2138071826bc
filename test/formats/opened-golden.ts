/** Opens a checkpoint as a user does and compares it with what its framework says. */
import { expect } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { digestOf, type ExpectedCheckpoint } from './golden.ts';

/** Names, types, shapes, roles and owners where they are asserted, and every value. */
export async function expectGolden(
  path: string,
  expected: ExpectedCheckpoint,
): Promise<Checkpoint> {
  const { checkpoint, source } = await openCheckpoint(path);
  try {
    expect(checkpoint).toMatchObject({ step: expected.step, complete: expected.complete });
    const found = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    expect([...found.keys()].sort()).toEqual(expected.tensors.map(({ name }) => name).sort());
    for (const one of expected.tensors) {
      const tensor = found.get(one.name);
      if (!tensor) throw new Error(`no tensor ${one.name}`);
      const { name, elements, shape } = tensor;
      expect({ name, elements, shape }).toEqual({ name, elements: one.elements, shape: one.shape });
      expect(tensor.storedDtype ?? tensor.dtype, name).toBe(one.dtype);
      const digest = await digestOf(source, tensor);
      expect(digest, name).toBe(one.dequantised_sha256 ?? one.sha256);
      if (expected.step === null || one.role === 'other') continue;
      expect({ name, role: tensor.role, owner: tensor.parameter }).toEqual({
        name,
        role: one.role,
        owner: one.parameter,
      });
    }
    return checkpoint;
  } finally {
    await source.close();
  }
}
