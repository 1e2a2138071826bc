import { describe, expect, it } from 'vitest';
import { unowned } from '../../../src/checkpoint/tensor.ts';
import type { DcpItem } from '../../../src/formats/dcp/items.ts';
import { buildStateTree, type StateLeaf } from '../../../src/formats/dcp/state-tree.ts';
import type { TensorDraft } from '../../../src/formats/optimizer-state/tensor-draft.ts';
import {
  entryOf,
  isDict,
  isSequence,
  type PickleValue,
} from '../../../src/formats/pickle/values.ts';

type Path = readonly (string | number)[];

function tensor(path: Path): StateLeaf {
  const name = path.join('.');
  const content: TensorDraft = {
    name,
    role: 'other',
    ...unowned,
    file: '__0_0.distcp',
    dtype: 'f32',
    shape: [1],
    elements: 1,
    placement: { kind: 'zeros' },
  };
  return { name, path, content };
}

function value(path: Path, root: PickleValue): StateLeaf {
  const content: DcpItem = { root, byPath: new Map() };
  return { name: path.join('.'), path, content };
}

/** As plain JSON; tensors are what stands for them. */
function plain(of: PickleValue | undefined): unknown {
  if (isDict(of)) {
    return Object.fromEntries([...of.entries].map(([key, item]) => [String(key), plain(item)]));
  }
  if (isSequence(of)) return of.items.map(plain);
  return typeof of === 'object' && of !== null ? 'tensor' : of;
}

describe('the state that was saved', () => {
  it('is nested again, with lists where keys count', () => {
    const { root, byPath } = buildStateTree(
      [
        tensor(['model', 'a.weight']),
        tensor(['optim', 'state', 'a.weight', 'exp_avg']),
        value(['optim', 'param_groups', 0, 'lr'], 0.5),
        value(['optim', 'param_groups', 0, 'params'], { kind: 'list', items: ['a.weight'] }),
      ],
      '.metadata',
    );
    expect(plain(root)).toEqual({
      model: { 'a.weight': 'tensor' },
      optim: {
        state: { 'a.weight': { exp_avg: 'tensor' } },
        param_groups: [{ lr: 0.5, params: ['a.weight'] }],
      },
    });
    expect([...byPath.keys()]).toEqual(['model.a.weight', 'optim.state.a.weight.exp_avg']);
  });

  it('has groups again where a copy for every parameter was saved', () => {
    const groups = (name: string, decay: number) => [
      value(['optimizer', `param_groups.${name}.lr`], 0.5),
      value(['optimizer', `param_groups.${name}.weight_decay`], decay),
    ];
    const { root } = buildStateTree(
      [
        tensor(['a.weight']),
        tensor(['a.bias']),
        tensor(['b.weight']),
        tensor(['optimizer', 'state.a.weight.exp_avg']),
        ...groups('a.weight', 0.1),
        ...groups('a.bias', 0),
        ...groups('b.weight', 0.1),
      ],
      '.metadata',
    );
    expect(plain(entryOf(root, 'optimizer'))).toEqual({
      state: { 'a.weight': { exp_avg: 'tensor' } },
      param_groups: [
        { lr: 0.5, weight_decay: 0.1, params: ['a.weight', 'b.weight'] },
        { lr: 0.5, weight_decay: 0, params: ['a.bias'] },
      ],
    });
  });

  it('is told by the names alone where no paths were saved', () => {
    const unnamed = (leaf: StateLeaf): StateLeaf => ({ ...leaf, path: null });
    const { root } = buildStateTree(
      [
        unnamed(tensor(['model.a.weight'])),
        unnamed(tensor(['optim.state.a.weight.exp_avg'])),
        unnamed(value(['optim.param_groups.0.lr'], 0.5)),
        unnamed(value(['optim.param_groups.0.params'], { kind: 'list', items: ['a.weight'] })),
      ],
      '.metadata',
    );
    expect(plain(root)).toEqual({
      model: { 'a.weight': 'tensor' },
      optim: {
        state: { 'a.weight': { exp_avg: 'tensor' } },
        param_groups: [{ lr: 0.5, params: ['a.weight'] }],
      },
    });
  });

  it('parts a model from the flattened state that it was merged with', () => {
    const names = ['a.weight', 'buffer', 'state.a.weight.exp_avg'];
    const { root } = buildStateTree(
      [...names.map((name) => tensor([name])), value(['param_groups.a.weight.lr'], 0.5)],
      '.metadata',
    );
    expect(plain(root)).toEqual({
      model: { 'a.weight': 'tensor' },
      buffer: 'tensor',
      optimizer: {
        state: { 'a.weight': { exp_avg: 'tensor' } },
        param_groups: [{ lr: 0.5, params: ['a.weight'] }],
      },
    });
  });

  it('keeps a flattened state at the root where something else is called model', () => {
    const names = ['a.weight', 'model', 'state.a.weight.exp_avg'];
    const { root } = buildStateTree(
      names.map((name) => tensor([name])),
      '.metadata',
    );
    expect(plain(root)).toEqual({
      'a.weight': 'tensor',
      model: 'tensor',
      state: { 'a.weight': { exp_avg: 'tensor' } },
    });
  });

  it('keeps the names of a module that is called state', () => {
    const { root } = buildStateTree([tensor(['state.a.weight']), tensor(['b'])], '.metadata');
    expect(plain(root)).toEqual({ 'state.a.weight': 'tensor', b: 'tensor' });
  });

  it('keeps a value whose path runs through another one, under its name', () => {
    const { root } = buildStateTree([value(['a'], 1), value(['a', 'b'], 2)], '.metadata');
    expect(plain(root)).toEqual({ a: 1, 'a.b': 2 });
  });

  it('keeps names that JavaScript would take for its own', () => {
    const { root, byPath } = buildStateTree([tensor(['__proto__', 'constructor'])], '.metadata');
    expect(byPath.has('__proto__.constructor')).toBe(true);
    expect(entryOf(entryOf(root, '__proto__'), 'constructor')).toBeDefined();
  });
});
