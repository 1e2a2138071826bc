/**
 * Small files that ask for endless work: what is shared in a pickle costs two bytes to name again.
 * Each of them would run for minutes, or out of memory or stack, where sharing was not reckoned
 * with.
 */
import { describe, expect, it } from 'vitest';
import { floats, pickle, tensor, torchFile } from './archive-writer.ts';
import { openBytes, outcomeOf } from './opened.ts';

const values = { 0: floats(1, 2, 3, 4) };

function memo(opcode: 'r' | 'j', index: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write(opcode);
  bytes.writeUInt32LE(index, 1);
  return bytes;
}

const put = (value: Buffer, index: number) => Buffer.concat([value, memo('r', index)]);
const get = (index: number) => memo('j', index);

function repeated(value: Buffer, count: number): Buffer[] {
  return new Array(count).fill(value);
}

function outcome(body: Buffer): Promise<string> {
  return outcomeOf(() => openBytes(torchFile(body, values)));
}

/** Lists of ten references to the list before, `depth` times. */
function layers(depth: number, first = 100): Buffer {
  const parts = [put(pickle.list(pickle.int(1)), first)];
  for (let i = 1; i <= depth; i += 1) {
    parts.push(put(pickle.list(...repeated(get(first + i - 1), 10)), first + i));
  }
  return Buffer.concat([pickle.tuple(...parts)]);
}

describe('sharing', () => {
  it('of long names above many containers passes a limit', async () => {
    const lists = pickle.list(...repeated(pickle.list(), 400));
    expect(await outcome(pickle.dict({ ['a'.repeat(2 ** 20)]: lists }))).toBe('limit');
  });

  it('inside keys costs nothing', async () => {
    const parts = [put(pickle.tuple(pickle.int(1)), 0)];
    for (let i = 1; i < 40; i += 1) {
      parts.push(put(pickle.tuple(...repeated(get(i - 1), 8)), i));
    }
    const made = Buffer.concat(parts.map((part) => Buffer.concat([part, Buffer.from('0')])));
    const body = pickle.dict([[get(39), tensor([4])]]);
    expect(await outcome(Buffer.concat([made, body]))).toBe('fine');
  });

  it('of a parameter group passes a limit', async () => {
    const ids = pickle.list(...Array.from({ length: 20_000 }, (_, i) => pickle.int(i)));
    const group = put(pickle.dict({ lr: pickle.float(1), params: ids }), 0);
    const groups = pickle.list(group, ...repeated(get(0), 20_000));
    const body = pickle.dict({ state: pickle.dict({}), param_groups: groups });
    expect(await outcome(body)).toBe('limit');
  });

  it('inside hyper-parameters passes a limit', async () => {
    const wide = (value: Buffer) => pickle.list(...repeated(value, 3000));
    const made = [put(wide(pickle.int(1)), 0), put(wide(get(0)), 1), put(wide(get(1)), 2)];
    const group = pickle.dict({ betas: get(2), params: pickle.list() });
    const body = pickle.dict({
      made: pickle.tuple(...made),
      optimizer: pickle.dict({ state: pickle.dict({}), param_groups: pickle.list(group) }),
    });
    expect(await outcome(body)).toBe('limit');
  });

  it('inside a parameter’s state is walked once', async () => {
    const state = pickle.dict([[pickle.int(0), pickle.dict({ x: layers(30) })]]);
    const groups = pickle.list(pickle.dict({ params: pickle.list(pickle.int(0)) }));
    expect(await outcome(pickle.dict({ state, param_groups: groups }))).toBe('fine');
  });

  it('of one state by thousands of optimizers passes a limit', async () => {
    const first = pickle.dict({
      state: put(pickle.dict({}), 0),
      param_groups: put(pickle.list(pickle.dict({ params: pickle.list() })), 1),
    });
    const again = pickle.dict({ state: get(0), param_groups: get(1) });
    expect(await outcome(pickle.list(first, ...repeated(again, 10_001)))).toBe('limit');
  });

  it('of a long tuple of strides costs nothing', async () => {
    const strides = put(pickle.ints(...new Array(50_000).fill(1)), 0);
    const one = (stride: Buffer) => {
      const [before, after] = [tensor([4]), pickle.ints(1)];
      const at = before.lastIndexOf(after);
      return Buffer.concat([before.subarray(0, at), stride, before.subarray(at + after.length)]);
    };
    const body = pickle.list(one(strides), ...repeated(one(get(0)), 3000));
    expect(await outcome(body)).toBe('problem');
  });
});

describe('nesting', () => {
  it('of sparse tensors inside sparse tensors ends', async () => {
    const head = Buffer.concat([
      pickle.global('torch._utils', '_rebuild_sparse_tensor'),
      Buffer.from('('),
      pickle.none,
      Buffer.from('('),
      pickle.none,
    ]);
    const tail = Buffer.concat([pickle.ints(4), Buffer.from('ttR')]);
    const body = Buffer.concat([...repeated(head, 20_000), pickle.none, ...repeated(tail, 20_000)]);
    expect(await outcome(body)).not.toMatch(/^untyped/);
  });

  it('of attributes ends with a name too long', async () => {
    const getattr = pickle.global('builtins', 'getattr');
    const heads = repeated(Buffer.concat([getattr, Buffer.from('(')]), 4000);
    const tail = Buffer.concat([pickle.text('Inner'), Buffer.from('tR')]);
    const base = pickle.global('torch.nn', 'Module');
    const body = Buffer.concat([...heads, base, ...repeated(tail, 4000)]);
    expect(await outcome(body)).toBe('problem');
  });

  it('of attributes set again and again passes a limit', async () => {
    const object = Buffer.concat([
      pickle.global('torch.nn', 'Module'),
      Buffer.from(')\x81', 'latin1'),
    ]);
    const build = Buffer.concat([pickle.dict({}), Buffer.from('b')]);
    expect(await outcome(Buffer.concat([object, ...repeated(build, 1000)]))).toBe('limit');
  });

  it('of states inside states is walked to its depth', async () => {
    let value = pickle.int(1);
    for (let i = 0; i < 150; i += 1) value = pickle.list(value);
    const state = pickle.dict([[pickle.int(0), pickle.dict({ x: value })]]);
    const groups = pickle.list(pickle.dict({ params: pickle.list(pickle.int(0)) }));
    expect(await outcome(pickle.dict({ state, param_groups: groups }))).toBe('fine');
  });
});
