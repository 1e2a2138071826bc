/**
 * What the frameworks say about roles, owners and optimizers, beside what `golden.ts` knows of
 * tensors.
 */
import { expect } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import type { HyperValue } from '../../../src/checkpoint/optimizer.ts';
import { type ExpectedCheckpoint, expectedOf } from '../golden.ts';

export { digestOf, fixtures } from '../golden.ts';

export interface ExpectedOptimizer {
  /** Class that wrote the state. */
  readonly kind: string;
  readonly prefix: string;
  readonly groups: readonly { [key: string]: HyperValue; parameters: string[] }[];
  readonly steps: Readonly<Record<string, number | string>>;
}

export interface ExpectedState extends ExpectedCheckpoint {
  readonly optimizers: readonly ExpectedOptimizer[];
}

export function expectedStateOf(name: string): { checkpoints: readonly ExpectedState[] } {
  const { checkpoints } = expectedOf(name);
  return {
    checkpoints: checkpoints.map((checkpoint) => {
      const { optimizers = [] } = checkpoint as Partial<ExpectedState>;
      return { ...checkpoint, optimizers };
    }),
  };
}

/** Numbers that JSON cannot spell are strings in the fixtures. */
export function numberOf(value: number | string): number {
  return typeof value === 'number' ? value : Number(value);
}

/** Names, types, shapes, aliases; roles and owners where the fixtures assert them. */
export function compareTensors(checkpoint: Checkpoint, expected: ExpectedCheckpoint): void {
  const found = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
  expect([...found.keys()].sort()).toEqual(expected.tensors.map(({ name }) => name).sort());
  for (const one of expected.tensors) {
    const tensor = found.get(one.name);
    expect(tensor).toMatchObject({ dtype: one.dtype, shape: one.shape, elements: one.elements });
    expect(tensor?.aliasOf, one.name).toBe(one.alias_of ?? null);
    if (one.file !== undefined) expect(tensor?.file, one.name).toBe(one.file);
    if (expected.step !== null && one.role !== 'other') {
      expect(tensor?.role, one.name).toBe(one.role);
    }
    // Where only the model's source tells the owner, not to know is right, and a wrong name never
    // is.
    const unknown = one.mapping === 'definition-order' && tensor?.parameter === null;
    if (!unknown) expect(tensor?.parameter, one.name).toBe(one.parameter ?? null);
  }
}
