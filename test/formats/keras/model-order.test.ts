import { describe, expect, it } from 'vitest';
import { inModelOrder } from '../../../src/formats/keras/model-order.ts';
import type { TensorDraft } from '../../../src/formats/optimizer-state/tensor-draft.ts';

function order(
  names: readonly string[],
  configured: ReadonlyMap<string, number> = new Map(),
): string[] | null {
  // Stored in the order of the list, listed by name as a file lists them.
  const headers = new Map(names.map((name, i) => [name, 100 * i]));
  const drafts = [...names].sort().map((name): TensorDraft => {
    const nothing = { parameter: null, mapping: null, aliasOf: null, file: 'w.h5' } as const;
    const what = { role: 'parameter', dtype: 'f32', shape: [2], elements: 2 } as const;
    return { name, ...nothing, ...what, placement: { kind: 'zeros' } };
  });
  return inModelOrder(drafts, { headers, configured })?.map(({ name }) => name) ?? null;
}

describe('the order of a model’s variables', () => {
  it('is that of storing, models in models too', () => {
    const names = [
      'layers/dense_1/vars/0',
      'layers/dense_1/vars/1',
      'layers/sequential/layers/conv2d/vars/0',
      'layers/sequential/layers/batch_normalization/vars/0',
      'layers/gru/cell/vars/0',
      'layers/dense/vars/0',
    ];
    expect(order(names)).toEqual(names);
  });

  it('is that of the configuration where it names every layer', () => {
    const names = ['layers/b/vars/0', 'layers/a/vars/0', 'layers/c/vars/0'];
    const all = new Map(['layers/a', 'layers/b', 'layers/c'].map((name, i) => [name, i]));
    expect(order(names, all)).toEqual([...names].sort());
    expect(order(names, new Map([['layers/c', 0]]))).toEqual(names);
  });

  it('of layers in a layer of Keras is that in which it makes them, not that of their names', () => {
    const stored = ['key', 'output', 'query', 'value'].map(
      (each) => `layers/mha/${each}_dense/vars/0`,
    );
    expect(order(stored)).toEqual(
      ['query', 'key', 'value', 'output'].map((each) => `layers/mha/${each}_dense/vars/0`),
    );
    const both = ['backward', 'forward'].map((each) => `layers/bi/${each}_layer/cell/vars/0`);
    expect(order(both)).toEqual([...both].reverse());
  });

  it('is unknown where attributes hold layers: they are stored by their names', () => {
    expect(order(['a/vars/0', 'b/vars/0'])).toBe(null);
    expect(order(['layers/own/first/vars/0', 'layers/own/second/vars/0'])).toBe(null);
  });
});
