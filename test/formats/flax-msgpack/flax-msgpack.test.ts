import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { openEngine } from '../../../src/engines/choose.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { flaxMsgpack } from '../../../src/formats/flax-msgpack/flax-msgpack.ts';
import { judge } from '../../../src/verdict/judge.ts';
import type { Result } from '../../../src/verdict/result.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { digestOf, expectedOf, fixtures } from '../golden.ts';
import { outcomeOf } from '../outcome.ts';
import { compareTensors } from '../torch-zip/golden-state.ts';
import { MemorySource } from '../torch-zip/memory-source.ts';
import { openPath } from '../torch-zip/opened.ts';
import { array, float32, int32, map, pack } from './msgpack-writer.ts';

const folder = join(fixtures, 'flax-msgpack');
const temporary = temporaryFolder();
const whole = readFileSync(join(folder, 'checkpoint_4'));

async function openBytes(bytes: Uint8Array): Promise<Checkpoint> {
  return flaxMsgpack.open(await new MemorySource('checkpoint_1', bytes).sighting());
}

describe('a state that Flax wrote', () => {
  const { checkpoints } = expectedOf('flax-msgpack');

  it.each(checkpoints)('$path is read as Flax reads it', async (expected) => {
    const { checkpoint, source } = await openPath(join(folder, expected.path), flaxMsgpack);
    const { layout, step, complete, problems } = checkpoint;
    expect({ layout, step, complete, problems }).toEqual({
      layout: 'flax-msgpack',
      step: expected.step,
      complete: true,
      problems: [],
    });
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const found = checkpoint.tensors.find(({ name }) => name === one.name);
      if (found) expect(await digestOf(source, found), one.name).toBe(one.sha256);
    }
    await source.close();
  });

  it('says of its optimizer what the file does, and no more', async () => {
    const { checkpoint } = await outcomeOf(join(folder, 'checkpoint_4'));
    const [optimizer, ...others] = checkpoint?.optimizers ?? [];
    expect(others).toEqual([]);
    expect(optimizer).toMatchObject({ kind: null, groups: [], prefix: 'opt_state.0.' });
    expect(
      optimizer?.parameters.map(({ step, stepDtype, group }) => [step, stepDtype, group]),
    ).toEqual(Array.from({ length: 4 }, () => [4, 'i32', null]));
  });

  it('is recognised by its content, whatever it is called', async () => {
    const renamed = await new MemorySource('state.bin', whole).sighting();
    expect(flaxMsgpack.recognise(renamed)).toBe('certain');
    const noise = await new MemorySource('noise', Buffer.alloc(64, 0x55)).sighting();
    expect(flaxMsgpack.recognise(noise)).toBe('no');
  });

  it('cut anywhere is not complete', async () => {
    for (let length = 1; length < whole.length; length += 7) {
      const { complete, problems } = await openBytes(whole.subarray(0, length));
      expect(complete, `${length} bytes`).toBe(false);
      expect(problems, `${length} bytes`).toMatchObject([
        { rule: 'file-truncated', kind: 'damage', file: 'checkpoint_1' },
      ]);
    }
  });

  it('followed by anything is damaged', async () => {
    const { problems } = await openBytes(Buffer.concat([whole, Buffer.of(0)]));
    expect(problems).toMatchObject([{ rule: 'trailing-bytes', offset: whole.length }]);
  });
});

describe('shapes of states', () => {
  it('an array in chunks is the one array that it was', async () => {
    const chunk = (...values: number[]) => float32(...values);
    const state = pack({
      params: {
        w: {
          __msgpack_chunked_array__: true,
          shape: { 0: 2, 1: 3 },
          chunks: { 0: chunk(1, 2, 3, 4), 1: chunk(5, 6) },
        },
      },
    });
    const source = new MemorySource('checkpoint_1', state);
    const { tensors, problems } = await flaxMsgpack.open(await source.sighting());
    expect(problems).toEqual([]);
    expect(tensors).toMatchObject([{ name: 'params.w', shape: [2, 3], elements: 6, dtype: 'f32' }]);
    const values = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
    const expected = createHash('sha256').update(values).digest('hex');
    expect(await digestOf(source, tensors[0] as never, 4)).toBe(expected);
  });

  it('chunks that do not make their shape are damage', async () => {
    const shape = { 0: 7 };
    const chunks = { 0: float32(1, 2, 3) };
    const { tensors, problems } = await openBytes(
      pack({ w: { __msgpack_chunked_array__: true, shape, chunks } }),
    );
    expect(tensors).toEqual([]);
    expect(problems).toMatchObject([{ rule: 'shape-mismatch', kind: 'damage', tensor: 'w' }]);
  });

  it('a name that occurs twice is told', async () => {
    const { problems } = await openBytes(
      map([
        ['w', float32(1)],
        ['w', float32(2)],
      ]),
    );
    expect(problems).toMatchObject([{ rule: 'duplicate-name', kind: 'security' }]);
  });

  it('a type that is not known is told, and the others are read', async () => {
    const odd = array([2], 'int4', Buffer.alloc(1));
    const { tensors, problems } = await openBytes(pack({ odd, w: float32(1) }));
    expect(tensors.map(({ name }) => name)).toEqual(['w']);
    expect(problems).toMatchObject([{ rule: 'dtype-unsupported', kind: 'info', tensor: 'odd' }]);
  });

  it('gradients that are gathered over steps are not those of the last step', async () => {
    const opt_state = {
      mini_step: int32(1),
      gradient_step: int32(5),
      inner_opt_state: { 0: { trace: { w: float32(1, 2) } } },
      acc_grads: { w: float32(3, 4) },
    };
    const { tensors, optimizers } = await openBytes(
      pack({ params: { w: float32(5, 6) }, opt_state, step: 15 }),
    );
    const role = (name: string) => tensors.find((tensor) => tensor.name === name)?.role;
    expect(role('opt_state.acc_grads.w')).toBe('gradient');
    expect(optimizers).toMatchObject([{ prefix: 'opt_state.inner_opt_state.0.' }]);
    const [state] = optimizers[0]?.parameters ?? [];
    expect(state).toMatchObject({ parameter: 'params.w', step: 5 });
    expect(state?.tensors).toEqual({
      trace: 'opt_state.inner_opt_state.0.trace.w',
      acc_grads: 'opt_state.acc_grads.w',
    });
  });

  it('hyper-parameters that optax injects are those of the file', async () => {
    const opt_state = {
      count: int32(3),
      hyperparams: { learning_rate: float32(0.5), b1: float32(0.75), b2: float32(0.875) },
      inner_state: { 0: { count: int32(3), mu: { w: float32(1) }, nu: { w: float32(2) } } },
    };
    const { optimizers, step } = await openBytes(pack({ params: { w: float32(5) }, opt_state }));
    expect(step).toBe(3);
    expect(optimizers[0]?.groups).toMatchObject([
      { hyper: { lr: 0.5, betas: [0.75, 0.875] }, keys: ['params.w'] },
    ]);
  });

  it('the maximum that optax keeps is not the AMSGrad of torch', async () => {
    const inner = { count: int32(3), mu: { w: float32(1) }, nu: { w: float32(2) } };
    const opt_state = { 0: { ...inner, nu_max: { w: float32(2) } } };
    const { optimizers } = await openBytes(pack({ params: { w: float32(5) }, opt_state }));
    expect(optimizers).toMatchObject([{ kind: 'optax-amsgrad' }]);
  });

  it('state that fits two trees belongs to none of them', async () => {
    const opt_state = { 0: { mu: { w: float32(1) } } };
    const params = { actor: { w: float32(5) }, critic: { w: float32(6) } };
    const { optimizers } = await openBytes(pack({ params, opt_state }));
    expect(optimizers[0]?.parameters).toMatchObject([{ parameter: null, path: 'opt_state.0.w' }]);
  });
});

describe('hostile states', () => {
  const hostile = (name: string) => join(fixtures, '../hostile', `msgpack-${name}.msgpack`);

  it.each([
    ['depth', 'limit'],
    ['length', 'problem'],
    ['shape', 'problem'],
  ])('%s: %s', async (name, kind) => {
    expect((await outcomeOf(hostile(name))).kind).toBe(kind);
  });

  it('a long path above many numbers is a limit, not a path for each of them', async () => {
    const inner = Buffer.concat([
      Buffer.from([0xdd, 0, 1, 0, 0]),
      Buffer.alloc(65_536, 1), // 65,536 times the number 1
    ]);
    const name = Buffer.concat([Buffer.from([0xda, 0x0f, 0xa0]), Buffer.alloc(4000, 'k')]);
    let state = inner;
    for (let depth = 0; depth < 3; depth += 1)
      state = Buffer.concat([Buffer.of(0x81), name, state]);
    const root = Buffer.concat([Buffer.of(0x81, 0xa6), Buffer.from('params'), state]);
    const path = join(temporary, 'paths.msgpack');
    writeFileSync(path, root);
    expect((await outcomeOf(path)).kind).toBe('limit');
  });
});

describe('a pair of states', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await openEngine('auto');
  });

  afterAll(() => engine.close());

  const optimizer = { kind: 'adam', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

  function validate(base: string, head: string): Promise<Result> {
    return judge({ head, base: join(folder, base), options: { optimizer }, engine, next: '' });
  }

  it.each([
    ['checkpoint_3', 'checkpoint_4', ['moment-bound', 'moment-increment', 'replay-moments']],
    ['checkpoint_4', 'checkpoint_8', ['moment-bound', 'moment-increment']],
  ])('%s to %s is healthy, and %j judged all of it', async (base, head, rules) => {
    const result = await validate(base, join(folder, head));
    expect(result).toMatchObject({ verdict: 'intact', findings: [] });
    for (const rule of rules) {
      const covered = result.coverage?.rules.find((each) => each.rule === rule);
      expect([rule, covered?.elements]).toEqual([rule, covered?.of]);
      expect(Number(covered?.of)).toBe(44);
    }
  });

  it('with a weight out of reach of its declared rate is proven wrong', async () => {
    const bytes = Buffer.from(whole);
    const { checkpoint } = await outcomeOf(join(folder, 'checkpoint_4'));
    const tensor = checkpoint?.tensors.find(({ name }) => name === 'params.dense_0.kernel');
    if (tensor?.placement.kind !== 'dense') throw new Error('the fixture has changed');
    const at = (tensor.placement.pieces[0]?.offset ?? 0) + 4 * 7;
    bytes.writeFloatLE(bytes.readFloatLE(at) + 0.1, at);
    const head = join(temporary, 'checkpoint_4_moved');
    writeFileSync(head, bytes);
    const pair = { base: join(folder, 'checkpoint_3'), engine, next: '' };
    // optax was given 0.01: no step of Adam takes a weight ten times as far.
    const options = { optimizer: { ...optimizer, lr: 0.01 } };
    const { findings = [] } = await judge({ ...pair, head, options });
    expect(findings[0]).toMatchObject({ rule: 'bounded-update', element: { index: 7 } });
    const healthy = await judge({ ...pair, head: join(folder, 'checkpoint_4'), options });
    expect(healthy.findings).toEqual([]);
    const covered = healthy.coverage?.rules.find(({ rule }) => rule === 'bounded-update');
    expect(covered?.elements).toBe(44);
  });

  it('with one exponent bit turned in a second moment is proven wrong', async () => {
    const { checkpoint } = await outcomeOf(join(folder, 'checkpoint_4'));
    const name = 'opt_state.0.nu.dense_0.kernel';
    const tensor = checkpoint?.tensors.find((each) => each.name === name);
    if (tensor?.placement.kind !== 'dense') throw new Error('the fixture has changed');
    const bytes = Buffer.from(whole);
    // Bit 29 of element 5, a second moment below 1: its exponent grows by 64.
    const at = (tensor.placement.pieces[0]?.offset ?? 0) + 4 * 5 + 3;
    bytes[at] = (bytes[at] as number) ^ 0x20;
    const path = join(temporary, 'checkpoint_4');
    writeFileSync(path, bytes);
    const { verdict, findings = [] } = await validate('checkpoint_3', path);
    expect(verdict).toBe('corrupt');
    expect(findings).toContainEqual(
      expect.objectContaining({ certainty: 'confirmed', tensor: name }),
    );
    expect(findings[0]?.element).toMatchObject({ index: 5 });
  });
});
