import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { floats, pickle, tensor, torchFile } from '../torch-zip/archive-writer.ts';
import { openBytes } from '../torch-zip/opened.ts';

const count = 4096;
const ones = floats(...new Array(count).fill(1));
let used = 0;

/** A tensor of its own in the one storage of these files. */
function of(...shape: number[]): Buffer {
  used = (used + 16) % 4000;
  return tensor(shape, { count, offset: used });
}

const adamGroup = {
  lr: pickle.float(1e-3),
  betas: pickle.tuple(pickle.float(0.9), pickle.float(0.999)),
  eps: pickle.float(1e-8),
  weight_decay: pickle.float(0),
  amsgrad: pickle.bool(false),
  maximize: pickle.bool(false),
  foreach: pickle.none,
  capturable: pickle.bool(false),
  decoupled_weight_decay: pickle.bool(true),
};

interface Group {
  readonly ids: readonly number[];
  readonly extra?: Record<string, Buffer>;
}

/** torch's dictionary: a state for each shape that is given, null for a parameter without one. */
function adam(shapes: Record<number, readonly number[]>, groups: readonly Group[]): Buffer {
  const hasMaxima = groups.some(({ extra }) => extra !== undefined && 'amsgrad' in extra);
  const states = Object.entries(shapes).map(([id, shape]) => {
    const state = pickle.dict({
      step: pickle.int(5),
      exp_avg: of(...shape),
      exp_avg_sq: of(...shape),
      ...(hasMaxima ? { max_exp_avg_sq: of(...shape) } : {}),
    });
    return [pickle.int(Number(id)), state] as [Buffer, Buffer];
  });
  return pickle.dict({
    state: pickle.dict(states),
    param_groups: pickle.list(
      ...groups.map(({ ids, extra }) =>
        pickle.dict({ ...adamGroup, ...extra, params: pickle.list(...ids.map(pickle.int)) }),
      ),
    ),
  });
}

async function open(body: Record<string, Buffer>): Promise<Checkpoint> {
  return (await openBytes(torchFile(pickle.dict(body), { 0: ones }))).checkpoint;
}

function owners(checkpoint: Checkpoint): (string | null)[] {
  return checkpoint.optimizers.flatMap(({ parameters }) => parameters.map((p) => p.parameter));
}

const texts = (...names: string[]) => pickle.list(...names.map(pickle.text));

describe('owners of numbered state', () => {
  it('follow the model’s order, per group', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'a.bias': of(4), 'b.weight': of(2, 4) });
    const optimizer = adam({ 0: [4, 4], 1: [2, 4], 2: [4] }, [{ ids: [0, 1] }, { ids: [2] }]);
    const checkpoint = await open({ model, optimizer });
    expect(owners(checkpoint)).toEqual(['model.a.weight', 'model.b.weight', 'model.a.bias']);
    expect(checkpoint.tensors.find(({ name }) => name.endsWith('1.exp_avg'))).toMatchObject({
      role: 'first-moment',
      parameter: 'model.b.weight',
      mapping: 'order',
    });
  });

  it('are assumed where an optimizer in another order would mean another tensor', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'n.bias': of(4), 'b.weight': of(4, 4) });
    const part = adam({ 0: [4, 4], 1: [4] }, [{ ids: [0, 1] }]);
    const whole = adam({ 0: [4, 4], 1: [4], 2: [4, 4] }, [{ ids: [0, 1, 2] }]);
    const states = async (optimizer: Buffer) => {
      const { optimizers } = await open({ model, optimizer });
      return optimizers[0]?.parameters.map((p) => [p.parameter, p.ownerAssumed ?? false]);
    };
    expect(await states(part)).toEqual([
      ['model.a.weight', true],
      ['model.n.bias', false],
    ]);
    expect(await states(whole)).toEqual([
      ['model.a.weight', false],
      ['model.n.bias', false],
      ['model.b.weight', false],
    ]);
  });

  it('stay unknown where two parameters could be meant', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'b.weight': of(4, 4) });
    const checkpoint = await open({ model, optimizer: adam({ 0: [4, 4] }, [{ ids: [0] }]) });
    expect(owners(checkpoint)).toEqual([null]);
    expect(checkpoint.optimizers[0]?.parameters[0]).toMatchObject({
      key: 'optimizer.state.0',
      path: 'optimizer.state.0',
      step: 5,
      shape: [4, 4],
    });
    expect(checkpoint.frozen).toEqual([]);
  });

  it('stay unknown where the order is another one', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'b.weight': of(2, 4) });
    const optimizer = adam({ 0: [2, 4], 1: [4, 4] }, [{ ids: [0, 1] }]);
    expect(owners(await open({ model, optimizer }))).toEqual([null, null]);
  });

  it('are taken from param_names, whatever the order', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'b.weight': of(4, 4) });
    const extra = { param_names: texts('b.weight', 'a.weight') };
    const optimizer = adam({ 0: [4, 4], 1: [4, 4] }, [{ ids: [0, 1], extra }]);
    const checkpoint = await open({ model, optimizer });
    expect(owners(checkpoint)).toEqual(['model.b.weight', 'model.a.weight']);
    expect(checkpoint.optimizers[0]?.groups[0]?.hyper).not.toHaveProperty('param_names');
  });

  it('are not taken from a name whose shape is another one', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'b.weight': of(2, 4) });
    const extra = { param_names: texts('b.weight') };
    const optimizer = adam({ 0: [4, 4] }, [{ ids: [0], extra }]);
    expect(owners(await open({ model, optimizer }))).toEqual(['model.a.weight']);
  });

  it('are found through the prefixes of wrappers', async () => {
    const model = pickle.module({ 'module._orig_mod.a.weight': of(4, 4) });
    const extra = { param_names: texts('a.weight') };
    const optimizer = adam({ 0: [4, 4] }, [{ ids: [0], extra }]);
    expect(owners(await open({ model, optimizer }))).toEqual(['model.module._orig_mod.a.weight']);
  });

  it('of two models: the one that fits, none where both do', async () => {
    const generator = pickle.module({ 'g.weight': of(3, 4) });
    const discriminator = pickle.module({ 'd.weight': of(5, 4) });
    const optimizer = adam({ 0: [5, 4] }, [{ ids: [0] }]);
    expect(owners(await open({ generator, discriminator, optimizer }))).toEqual([
      'discriminator.d.weight',
    ]);
    expect(owners(await open({ generator: discriminator, discriminator, optimizer }))).toEqual([
      null,
    ]);
  });

  it('reach a parameter that has no state yet, if it is the only one left', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'a.bias': of(4), 'b.weight': of(2, 4) });
    const optimizer = adam({ 0: [4, 4], 2: [2, 4] }, [{ ids: [0, 1, 2] }]);
    const checkpoint = await open({ model, optimizer });
    expect(checkpoint.optimizers[0]?.parameters[1]).toMatchObject({
      parameter: 'model.a.bias',
      step: null,
      stepScope: null,
      tensors: {},
    });
  });
});

describe('frozen parameters', () => {
  const held = adam({ 0: [4, 4] }, [{ ids: [0], extra: { param_names: texts('a.weight') } }]);

  it.each([
    ['layer0.bias', of(4), true],
    ['norm.running_var', of(4), false],
    ['codebook.cluster_size', of(4), false],
    ['head.weight_u', of(4), false],
    ['ema.weight', of(4), false],
    ['counter.weight', tensor([2], { storage: 'LongStorage', count: count / 2 }), false],
  ])('%s: %s', async (name, value, isFrozen) => {
    const model = pickle.module({ 'a.weight': of(4, 4), [name]: value });
    const { frozen } = await open({ model, optimizer: held });
    expect(frozen).toEqual(isFrozen ? [`model.${name}`] : []);
  });

  it('are not said where the output layer may be the embedding, stored twice', async () => {
    const extra = { param_names: texts('embed.weight') };
    const optimizer = adam({ 0: [4, 4] }, [{ ids: [0], extra }]);
    const tensors = {
      'embed.weight': of(4, 4),
      'lm_head.weight': of(4, 4),
      'layers.0.up.weight': of(4, 4),
    };
    const { frozen } = await open({ model: pickle.module(tensors), optimizer });
    expect(frozen).toEqual(['model.layers.0.up.weight']);
  });

  it('are not said of a network that follows another one', async () => {
    const extra = { param_names: texts('encoder_q.conv.weight') };
    const optimizer = adam({ 0: [4, 4] }, [{ ids: [0], extra }]);
    const tensors = { 'encoder_q.conv.weight': of(4, 4), 'encoder_k.conv.weight': of(4, 4) };
    expect((await open({ model: pickle.module(tensors), optimizer })).frozen).toEqual([]);
  });
});

describe('copies of a model', () => {
  const model = pickle.module({ 'a.weight': of(4, 4), 'a.running_mean': of(4) });
  const copy = pickle.module({ 'a.weight': of(4, 4), 'a.running_mean': of(4) });

  it('are averages, gradients or neither, by the name of their dictionary', async () => {
    const checkpoint = await open({
      model,
      model_ema: copy,
      gradients: pickle.dict({ 'a.weight': of(4, 4) }),
      best_model: copy,
    });
    const roles = Object.fromEntries(checkpoint.tensors.map(({ name, role }) => [name, role]));
    expect(roles).toMatchObject({
      'model.a.weight': 'parameter',
      'model.a.running_mean': 'buffer',
      'gradients.a.weight': 'gradient',
    });
    expect(Object.keys(roles)).toHaveLength(3 + 4);
    expect(roles['model_ema.a.weight']).toBe('average');
    expect(roles['model_ema.a.running_mean']).toBe('buffer');
    expect(roles['best_model.a.weight']).toBe('other');
  });

  it('as a list take their owners from the order', async () => {
    const ema = pickle.dict({ decay: pickle.float(0.99), shadow_params: pickle.list(of(4, 4)) });
    const { tensors } = await open({ model, ema });
    expect(tensors.find(({ name }) => name === 'ema.shadow_params.0')).toMatchObject({
      role: 'average',
      parameter: 'model.a.weight',
    });
  });
});

describe('masters beside the optimizer, as Megatron keeps them', () => {
  it('belong to the parameter at their place in the group', async () => {
    const model = pickle.module({ 'a.weight': of(4, 4), 'a.bias': of(4) });
    const optimizer = pickle.dict({
      optimizer: adam({ 0: [4, 4], 1: [4] }, [{ ids: [0] }, { ids: [1] }]),
      fp32_from_fp16_params: pickle.list(pickle.list(of(4, 4)), pickle.list(of(4))),
    });
    const checkpoint = await open({ model, optimizer });
    expect(checkpoint.optimizers[0]?.prefix).toBe('optimizer.optimizer.');
    expect(checkpoint.optimizers[0]?.parameters.map(({ master }) => master)).toEqual([
      'optimizer.fp32_from_fp16_params.0.0',
      'optimizer.fp32_from_fp16_params.1.0',
    ]);
    expect(checkpoint.tensors.at(-1)).toMatchObject({ role: 'master', parameter: 'model.a.bias' });
  });
});

describe('optimizers that were saved as one', () => {
  const named = (groups: readonly [string, Record<string, Buffer>][]) => {
    const state = (name: string) => {
      const tensors = { step: pickle.int(5), exp_avg: of(4), exp_avg_sq: of(4) };
      return [pickle.text(name), pickle.dict(tensors)] as [Buffer, Buffer];
    };
    return pickle.dict({
      state: pickle.dict(groups.map(([name]) => state(name))),
      param_groups: pickle.list(
        ...groups.map(([name, extra]) =>
          pickle.dict({ ...adamGroup, ...extra, params: pickle.list(pickle.text(name)) }),
        ),
      ),
    });
  };

  it('are told apart by what their groups prove, where names tell whose a state is', async () => {
    const model = pickle.module({ 'a.weight': of(4), 'b.weight': of(4), 'c.weight': of(4) });
    const optimizer = named([
      ['a.weight', {}],
      ['b.weight', { decoupled_weight_decay: pickle.bool(false) }],
      ['c.weight', {}],
    ]);
    const { optimizers } = await open({ model, optimizer });
    const held = optimizers.map(({ kind, parameters }) => {
      return [kind, parameters.map(({ parameter }) => parameter)];
    });
    expect(held).toEqual([
      ['adamw', ['model.a.weight', 'model.c.weight']],
      ['adam', ['model.b.weight']],
    ]);
  });

  it('stay one where some group proves nothing', async () => {
    const model = pickle.module({ 'a.weight': of(4), 'b.weight': of(4) });
    const optimizer = named([
      ['a.weight', {}],
      ['b.weight', { schedule_decay: pickle.float(0.1) }],
    ]);
    const { optimizers } = await open({ model, optimizer });
    expect(optimizers).toMatchObject([{ kind: null, groups: [{}, {}] }]);
  });
});

describe('counters and hyper-parameters', () => {
  it('the trainer’s own count is the step, else the one on which all counters agree', async () => {
    const optimizer = adam({ 0: [4], 1: [4] }, [{ ids: [0, 1] }]);
    expect((await open({ optimizer })).step).toBe(5);
    expect((await open({ optimizer, step: pickle.int(7), epoch: pickle.int(1) })).step).toBe(7);
    expect((await open({ epoch: pickle.int(3) })).step).toBeNull();
  });

  it('a counter that is one tensor for all is shared', async () => {
    const one = of();
    const state = (shape: number[]) =>
      pickle.dict({ step: one, exp_avg: of(...shape), exp_avg_sq: of(...shape) });
    const optimizer = pickle.dict({
      state: pickle.dict([
        [pickle.int(0), state([4])],
        [pickle.int(1), state([2])],
      ]),
      param_groups: pickle.list(
        pickle.dict({ ...adamGroup, params: pickle.list(pickle.int(0), pickle.int(1)) }),
      ),
    });
    const { optimizers } = await open({ optimizer });
    expect(optimizers[0]?.parameters).toMatchObject([
      { step: 1, stepScope: 'shared', stepDtype: 'f32' },
      { step: 1, stepScope: 'shared', stepDtype: 'f32' },
    ]);
  });

  it.each([
    ['lr', pickle.float(Number.NaN), true],
    ['lr', pickle.float(Number.POSITIVE_INFINITY), true],
    ['lr', pickle.float(0), false],
    ['eps', pickle.float(-1e-8), true],
    ['eps', pickle.float(0), false],
    ['weight_decay', pickle.float(Number.NaN), true],
    ['betas', pickle.tuple(pickle.float(0.9), pickle.float(1)), true],
    ['betas', pickle.tuple(pickle.float(-0.1), pickle.float(0.9)), true],
    ['betas', pickle.tuple(pickle.float(0), pickle.float(0.999999)), false],
    ['betas', pickle.tuple(pickle.none, pickle.float(0.9)), false],
    ['betas', pickle.tuple(pickle.float(0.9), pickle.float(0.999), pickle.float(1)), false],
    ['lr', of(), false],
  ])('%s outside its domain is damage: case %#', async (key, value, isDamage) => {
    const optimizer = adam({ 0: [4] }, [{ ids: [0], extra: { [key]: value } }]);
    const rules = (await open({ optimizer })).problems.map(({ rule }) => rule);
    expect(rules).toEqual(isDamage ? ['hyper-parameter-invalid'] : []);
  });

  it('a beta of 1 is legal in an optimizer that nothing proves', async () => {
    const betas = pickle.tuple(pickle.float(0.9), pickle.float(1));
    const extra = { betas, schedule_decay: pickle.float(0.1) };
    const { problems } = await open({ optimizer: adam({ 0: [4] }, [{ ids: [0], extra }]) });
    expect(problems.filter(({ rule }) => rule === 'hyper-parameter-invalid')).toEqual([]);
  });

  it('a rate in a tensor is a number', async () => {
    const optimizer = adam({ 0: [4] }, [{ ids: [0], extra: { lr: of() } }]);
    expect((await open({ optimizer })).optimizers[0]?.groups[0]?.hyper.lr).toBe(1);
  });

  it.each([
    ['caution', null],
    ['momentum_decay', null],
    ['bias_correction', null],
    ['initial_lr', 'adamw'],
    ['group_name', 'adamw'],
  ])('Adam’s keys with %s beside them prove %s', async (key, kind) => {
    const optimizer = adam({ 0: [4] }, [{ ids: [0], extra: { [key]: pickle.int(1) } }]);
    const found = (await open({ optimizer })).optimizers[0]?.kind ?? null;
    if (kind === null) expect(['adam', 'adamw', 'amsgrad']).not.toContain(found);
    else expect(found).toBe(kind);
  });

  it.each([
    [{ decoupled_weight_decay: pickle.bool(true), weight_decay: pickle.float(0.1) }, 'amsgrad'],
    [{ decoupled_weight_decay: pickle.bool(false) }, 'amsgrad'],
    [
      { decoupled_weight_decay: pickle.bool(false), weight_decay: pickle.float(0.1) },
      'adam-amsgrad',
    ],
  ])('amsgrad is told with its decay: case %#', async (extra, kind) => {
    const group = { ids: [0], extra: { amsgrad: pickle.bool(true), ...extra } };
    expect((await open({ optimizer: adam({ 0: [4] }, [group]) })).optimizers[0]?.kind).toBe(kind);
  });

  it('groups of two classes prove none', async () => {
    const second = { decoupled_weight_decay: pickle.bool(false) };
    const optimizer = adam({ 0: [4], 1: [2] }, [{ ids: [0] }, { ids: [1], extra: second }]);
    expect((await open({ optimizer })).optimizers[0]?.kind).toBeNull();
  });

  it('keys that prototypes have are keys like any other', async () => {
    const optimizer = adam({ 0: [4] }, [{ ids: [0], extra: { __proto__key: pickle.int(3) } }]);
    const named = { ['__proto__']: pickle.int(9) };
    const other = adam({ 0: [4] }, [{ ids: [0], extra: named }]);
    expect((await open({ optimizer })).optimizers[0]?.groups[0]?.hyper).toHaveProperty(
      '__proto__key',
      3,
    );
    const hyper = (await open({ optimizer: other })).optimizers[0]?.groups[0]?.hyper ?? {};
    expect(Object.getPrototypeOf(hyper)).toBe(Object.prototype);
    expect(Object.entries(hyper).find(([key]) => key === '__proto__')?.[1]).toBe(9);
  });
});
