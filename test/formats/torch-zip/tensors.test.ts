import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/checkpoint/tensor.ts';
import { archive, floats, pickle, storage, tensor, torchFile } from './archive-writer.ts';
import { logicalBytes, type Opened, openBytes, outcomeOf, tensorOf } from './opened.ts';

async function values(opened: Opened, name: string): Promise<number[]> {
  const bytes = await logicalBytes(opened.source, tensorOf(opened, name));
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)];
}

/** A file with one tensor `w`. */
async function withTensor(body: Buffer, bytes: Uint8Array = floats(1, 2, 3, 4)): Promise<Opened> {
  return openBytes(torchFile(pickle.dict({ w: body }), { 0: bytes }));
}

async function onlyTensor(body: Buffer, bytes?: Uint8Array): Promise<Tensor> {
  return tensorOf(await withTensor(body, bytes), 'w');
}

const flags = (name: string) => pickle.dict({ [name]: pickle.bool(true) });

describe('views', () => {
  it('that are row-major lie in the file as they are', async () => {
    const opened = await withTensor(tensor([2, 2]));
    expect(tensorOf(opened, 'w').placement.kind).toBe('dense');
    expect(await values(opened, 'w')).toEqual([1, 2, 3, 4]);
  });

  it('are read in logical order: transposed, sliced, expanded', async () => {
    const transposed = await withTensor(tensor([2, 2], { stride: [1, 2] }));
    expect(await values(transposed, 'w')).toEqual([1, 3, 2, 4]);
    const sliced = await withTensor(tensor([2], { count: 4, offset: 1, stride: [2] }));
    expect(await values(sliced, 'w')).toEqual([2, 4]);
    const expanded = await withTensor(tensor([2, 2], { count: 4, stride: [0, 1], offset: 2 }));
    expect(await values(expanded, 'w')).toEqual([3, 4, 3, 4]);
  });

  it('ignore the stride of a dimension of one, as torch does', async () => {
    const opened = await withTensor(tensor([1, 4], { stride: [999_999, 1] }));
    expect(tensorOf(opened, 'w').placement.kind).toBe('dense');
  });

  it('end with the last element of their storage and not one further', async () => {
    const fits = await withTensor(tensor([2, 2], { count: 4, stride: [1, 2] }));
    expect(fits.checkpoint.problems).toEqual([]);
    const past = await withTensor(tensor([2, 2], { count: 4, stride: [1, 3] }));
    expect(past.checkpoint.problems).toMatchObject([{ rule: 'tensor-out-of-bounds', tensor: 'w' }]);
    expect(past.checkpoint.tensors).toEqual([]);
  });

  it('keep lazily negated and conjugated values as a flag', async () => {
    const negative = await withTensor(tensor([4], { rest: [flags('neg')] }));
    expect(await values(negative, 'w')).toEqual([-1, -2, -3, -4]);
    const body = tensor([2], { storage: 'ComplexFloatStorage', rest: [flags('conj')] });
    expect(await values(await withTensor(body), 'w')).toEqual([1, -2, 3, -4]);
  });
});

describe('element types', () => {
  const v3 = (name: string, shape: number[], count: number) =>
    tensor(shape, {
      rebuild: '_rebuild_tensor_v3',
      storage: 'UntypedStorage',
      count,
      rest: [pickle.global('torch', name)],
    });

  it('without a storage class come from the rebuild function', async () => {
    expect(await onlyTensor(v3('float8_e5m2', [16], 16))).toMatchObject({
      dtype: 'f8e5m2',
      elements: 16,
    });
    expect(await onlyTensor(v3('uint32', [4], 16))).toMatchObject({ dtype: 'u32', elements: 4 });
  });

  it('count elements where torch counts bytes: two in each byte of float4', async () => {
    const packed = await onlyTensor(v3('float4_e2m1fn_x2', [2, 8], 16));
    expect(packed).toMatchObject({ dtype: 'f4e2m1', shape: [2, 16], elements: 32 });
    expect(packed.placement).toMatchObject({ kind: 'dense', pieces: [{ elements: 32 }] });
  });

  it('that are not known are listed and not read', async () => {
    expect((await onlyTensor(v3('bits8', [16], 16))).placement).toEqual({
      kind: 'absent',
      reason: 'element type bits8 is not known',
    });
  });

  it('may be big-endian', async () => {
    const bytes = floats(1, 2, 3, 4).swap32();
    const order = { name: 'byteorder', bytes: Buffer.from('big') };
    const body = pickle.dict({ w: tensor([4]) });
    const opened = await openBytes(torchFile(body, { 0: bytes }, [order]));
    expect(await values(opened, 'w')).toEqual([1, 2, 3, 4]);
  });
});

describe('tensors whose elements are not plain bytes', () => {
  const utils = (name: string) => pickle.global('torch._utils', name);
  const f32 = pickle.global('torch', 'float32');
  const qint8 = storage({ storage: 'QInt8Storage', count: 16 });
  const scheme = pickle.tuple(pickle.global('torch', 'per_tensor_affine'), pickle.float(0.5));

  it.each([
    [
      'quantised',
      pickle.call(
        utils('_rebuild_qtensor'),
        qint8,
        pickle.int(0),
        pickle.ints(16),
        pickle.ints(1),
        scheme,
      ),
      { dtype: 'i8', shape: [16] },
    ],
    [
      'sparse',
      pickle.call(
        utils('_rebuild_sparse_tensor'),
        pickle.call(
          pickle.global('torch.serialization', '_get_layout'),
          pickle.text('torch.sparse_coo'),
        ),
        pickle.tuple(tensor([1, 4], { storage: 'LongStorage' }), tensor([4]), pickle.ints(100)),
      ),
      { dtype: 'f32', shape: [100] },
    ],
    [
      'meta tensor',
      pickle.call(
        utils('_rebuild_meta_tensor_no_storage'),
        f32,
        pickle.ints(3, 5),
        pickle.ints(5, 1),
      ),
      { dtype: 'f32', shape: [3, 5] },
    ],
    [
      'meta tensor',
      tensor([2 ** 20, 2 ** 10], { device: 'meta' }),
      { dtype: 'f32', elements: 2 ** 30 },
    ],
  ])('%s: listed with the reason', async (reason, body, expected) => {
    const opened = await withTensor(body);
    expect(tensorOf(opened, 'w')).toMatchObject(expected);
    expect(tensorOf(opened, 'w').placement).toEqual({ kind: 'absent', reason });
    expect(opened.checkpoint.problems.filter(({ kind }) => kind === 'damage')).toEqual([]);
  });

  it('parameters and subclasses are the tensor inside', async () => {
    const parameter = pickle.call(utils('_rebuild_parameter'), tensor([4]), pickle.bool(true));
    expect((await onlyTensor(parameter)).placement.kind).toBe('dense');
    const subclass = pickle.call(
      pickle.global('torch._tensor', '_rebuild_from_type_v2'),
      utils('_rebuild_tensor_v2'),
      pickle.global('torch', 'Tensor'),
      pickle.tuple(storage({ count: 4 }), pickle.int(0), pickle.ints(4), pickle.ints(1)),
      pickle.dict({}),
    );
    expect(await values(await withTensor(subclass), 'w')).toEqual([1, 2, 3, 4]);
  });

  it('wrappers around wrappers without end are damage, not a hang', async () => {
    let body = tensor([4]);
    for (let i = 0; i < 50; i += 1) body = pickle.call(utils('_rebuild_parameter'), body);
    expect((await withTensor(body)).checkpoint.problems[0]?.message).toContain('wraps no tensor');
  });
});

describe('names', () => {
  it('follow the path, numbers in decimal, other keys as Python prints them', async () => {
    const body = pickle.dict([
      [pickle.int(3), pickle.list(tensor([4]), pickle.dict({ deep: tensor([4]) }))],
      [pickle.tuple(pickle.text('a'), pickle.int(1)), tensor([4])],
      [pickle.none, tensor([4])],
    ]);
    const { checkpoint } = await openBytes(torchFile(body, { 0: floats(1, 2, 3, 4) }));
    expect(checkpoint.tensors.map(({ name }) => name)).toEqual([
      '3.0',
      '3.1.deep',
      "('a', 1)",
      'None',
    ]);
  });

  it('are unique even where keys with dots spell the same path', async () => {
    const body = pickle.dict({
      'a.b': tensor([4]),
      a: pickle.dict({ b: tensor([2], { count: 4 }) }),
    });
    const opened = await openBytes(torchFile(body, { 0: floats(1, 2, 3, 4) }));
    expect(opened.checkpoint.tensors.map(({ name }) => name)).toEqual(['a.b', 'a.b#2']);
  });

  it('of one storage: the whole again is an alias, a part is not', async () => {
    const body = pickle.dict({
      first: tensor([4]),
      again: tensor([4]),
      part: tensor([2], { count: 4 }),
      other: tensor([2, 2]),
    });
    const opened = await openBytes(torchFile(body, { 0: floats(1, 2, 3, 4) }));
    expect(opened.checkpoint.tensors.map(({ aliasOf }) => aliasOf)).toEqual([
      null,
      'first',
      null,
      null,
    ]);
    expect(opened.checkpoint.tied).toEqual([['again', 'first']]);
  });

  it('that prototypes have are names like any other', async () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const body = pickle.dict(names.map((name) => [pickle.text(name), tensor([4])]));
    const opened = await openBytes(torchFile(body, { 0: floats(1, 2, 3, 4) }));
    expect(opened.checkpoint.tensors.map(({ name }) => name)).toEqual(names);
  });
});

describe('compressed members', () => {
  const compressed = (body: Buffer, bytes: Uint8Array, crc?: number) =>
    archive([
      { name: 'data.pkl', bytes: pickle.whole(pickle.dict({ w: body })), deflate: true },
      { name: 'data/0', bytes, deflate: true, ...(crc === undefined ? {} : { crc }) },
    ]);

  it('are inflated into memory, views and all', async () => {
    const opened = await openBytes(
      compressed(tensor([2, 2], { stride: [1, 2] }), floats(1, 2, 3, 4)),
    );
    expect(tensorOf(opened, 'w').placement.kind).toBe('inline');
    expect(await values(opened, 'w')).toEqual([1, 3, 2, 4]);
    // A checksum over stored bytes would be another one.
    expect(opened.checkpoint.checksums).toEqual([]);
  });

  it('with a wrong checksum are damage at opening', async () => {
    const file = compressed(tensor([4]), floats(1, 2, 3, 4), crc32(Buffer.from('other')));
    expect(await outcomeOf(() => openBytes(file))).toBe('problem');
  });
});

describe('the id of an archive', () => {
  it('that does not fit its members is a note, no verdict', async () => {
    const id = { name: '.data/serialization_id', bytes: Buffer.from('1'.repeat(40)) };
    const file = torchFile(pickle.dict({ w: tensor([4]) }), { 0: floats(1, 2, 3, 4) }, [id]);
    const { checkpoint } = await openBytes(file);
    expect(checkpoint.problems).toMatchObject([{ rule: 'note', kind: 'info' }]);
    expect(checkpoint.problems[0]?.message).toContain('rewritten');
  });
});

describe('many tensors', () => {
  it('of one storage, 20,000 of them, open', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `layers.${i}.weight`);
    const body = pickle.dict(
      names.map((name, i) => [pickle.text(name), tensor([1], { count: 4, offset: i % 4 })]),
    );
    const { checkpoint } = await openBytes(torchFile(body, { 0: floats(1, 2, 3, 4) }));
    expect(checkpoint.tensors).toHaveLength(names.length);
    expect(new Set(checkpoint.tensors.map(({ aliasOf }) => aliasOf)).size).toBe(5);
  });
});
