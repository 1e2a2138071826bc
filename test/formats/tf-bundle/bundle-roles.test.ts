import { describe, expect, it } from 'vitest';
import type { DType } from '../../../src/checkpoint/dtype.ts';
import { unowned } from '../../../src/checkpoint/tensor.ts';
import type { TensorDraft } from '../../../src/formats/optimizer-state/tensor-draft.ts';
import { readBundleRoles } from '../../../src/formats/tf-bundle/bundle-roles.ts';
import { MemorySource } from '../torch-zip/memory-source.ts';

const attribute = '/.ATTRIBUTES/VARIABLE_VALUE';

function variable(path: string, shape: number[], value?: Uint8Array): TensorDraft {
  const dtype: DType = path.endsWith('iter') ? 'i64' : 'f32';
  return {
    name: path + attribute,
    role: 'other',
    ...unowned,
    file: 'ckpt-1.data-00000-of-00001',
    dtype,
    shape,
    elements: shape.reduce((a, b) => a * b, 1),
    placement: value ? { kind: 'inline', bytes: value } : { kind: 'zeros' },
  };
}

const float = (value: number) => new Uint8Array(Float32Array.of(value).buffer);

/** As tf.train.Checkpoint(model=, optimizer=) of Keras 2 names them. */
const kernel = 'model/layer_with_weights-0/kernel';
const slot = (name: string) => `${kernel}/.OPTIMIZER_SLOT/optimizer/${name}`;

describe('slots of Keras 2', () => {
  it('belong to the variable that their key begins with, and β are variables too', async () => {
    const tensors = [
      variable(kernel, [2, 3]),
      variable(slot('m'), [2, 3]),
      variable(slot('v'), [2, 3]),
      variable('optimizer/iter', [], new Uint8Array(BigInt64Array.of(12n).buffer)),
      variable('optimizer/learning_rate', [], float(0.5)),
      variable('optimizer/beta_1', [], float(0.75)),
      variable('optimizer/beta_2', [], float(0.875)),
    ];
    const source = new MemorySource('ckpt-1.index', new Uint8Array(0));
    const roles = await readBundleRoles(source, tensors, { graph: null, file: 'ckpt-1.index' });
    expect(roles.step).toBe(12);
    expect(roles.optimizers[0]).toMatchObject({
      kind: null,
      groups: [{ hyper: { lr: 0.5, betas: [0.75, 0.875] } }],
      parameters: [
        {
          parameter: kernel + attribute,
          step: 12,
          stepScope: 'shared',
          tensors: { exp_avg: slot('m') + attribute, exp_avg_sq: slot('v') + attribute },
        },
      ],
    });
    expect(tensors.map(({ role }) => role)).toEqual([
      'parameter',
      'first-moment',
      'second-moment',
      'step',
      'other',
      'other',
      'other',
    ]);
  });

  it('of another shape than the variable belong to nobody', async () => {
    const tensors = [
      variable(kernel, [2, 3]),
      variable(slot('m'), [3, 2]),
      variable('optimizer/iter', []),
    ];
    const source = new MemorySource('ckpt-1.index', new Uint8Array(0));
    const { optimizers } = await readBundleRoles(source, tensors, { graph: null, file: 'i' });
    expect(optimizers[0]?.parameters.map(({ parameter }) => parameter)).toEqual([null]);
  });
});
