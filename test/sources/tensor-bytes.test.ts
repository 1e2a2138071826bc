import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/checkpoint/dtype.ts';
import { type Placement, type Tensor, unowned } from '../../src/checkpoint/tensor.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const content = new Uint8Array(randomBytes(4096));
writeFileSync(join(folder, 'a'), content);
writeFileSync(join(folder, 'b'), content.subarray(1000));
const source = await openLocalSource(folder);

function tensor(dtype: DType, elements: number, placement: Placement): Tensor {
  return {
    name: 't',
    role: 'parameter',
    ...unowned,
    file: 'a',
    dtype,
    shape: [elements],
    elements,
    placement,
  };
}

async function read(of: Tensor, first: number, count: number): Promise<Uint8Array> {
  const bits = { f32: 32, f4e2m1: 4, f6e2m3: 6, i64: 64, u8: 8 }[of.dtype as string] as number;
  const into = new Uint8Array((bits * count) / 8);
  await readTensorBytes(source, of, { first, count, into });
  return into;
}

describe('a dense tensor', () => {
  it('joins its pieces in logical order, whatever run is asked', async () => {
    const pieces = [
      { file: 'b', offset: 3, elements: 10 },
      { file: 'a', offset: 0, elements: 1 },
      { file: 'a', offset: 501, elements: 25 },
      { file: 'b', offset: 90, elements: 4 },
    ];
    const of = tensor('f32', 40, { kind: 'dense', pieces });
    const whole = Buffer.concat([
      content.subarray(1003, 1043),
      content.subarray(0, 4),
      content.subarray(501, 601),
      content.subarray(1090, 1106),
    ]);
    for (let first = 0; first <= 40; first++) {
      for (let count = 0; first + count <= 40; count++) {
        const expected = whole.subarray(first * 4, (first + count) * 4);
        expect(Buffer.compare(await read(of, first, count), expected)).toBe(0);
      }
    }
  });

  it('reads runs of whole bytes of types smaller than a byte', async () => {
    const pieces = [
      { file: 'a', offset: 7, elements: 6 },
      { file: 'a', offset: 100, elements: 10 },
    ];
    const four = tensor('f4e2m1', 16, { kind: 'dense', pieces });
    const whole = Buffer.concat([content.subarray(7, 10), content.subarray(100, 105)]);
    expect(Buffer.from(await read(four, 0, 16))).toEqual(whole);
    expect(Buffer.from(await read(four, 4, 8))).toEqual(whole.subarray(2, 6));
    await expect(read(four, 1, 2)).rejects.toThrow('byte');

    const six = tensor('f6e2m3', 8, {
      kind: 'dense',
      pieces: [{ file: 'a', offset: 40, elements: 8 }],
    });
    expect(Buffer.from(await read(six, 4, 4))).toEqual(Buffer.from(content.subarray(43, 46)));
  });

  it('returns how many bytes came from files', async () => {
    const pieces = [{ file: 'a', offset: 0, elements: 100 }];
    const of = tensor('i64', 100, { kind: 'dense', pieces });
    const run = { first: 10, count: 20, into: new Uint8Array(160) };
    expect(await readTensorBytes(source, of, run)).toBe(160);
  });
});

describe('a tensor without a file', () => {
  it('takes bytes that came with the metadata', async () => {
    const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const of = tensor('u8', 10, { kind: 'inline', bytes });
    expect([...(await read(of, 3, 4))]).toEqual([3, 4, 5, 6]);
  });

  it('is zero where zero is what it means', async () => {
    const of = tensor('f32', 8, { kind: 'zeros' });
    const into = new Uint8Array(8).fill(255);
    expect(await readTensorBytes(source, of, { first: 3, count: 2, into })).toBe(0);
    expect([...into]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('cannot be read when it is absent: that is a fault of the caller', async () => {
    const of = tensor('f32', 8, { kind: 'absent', reason: 'meta tensor' });
    await expect(read(of, 0, 8)).rejects.toThrow('has no bytes');
  });

  it('cannot be read past its end', async () => {
    const of = tensor('f32', 8, { kind: 'zeros' });
    await expect(read(of, 7, 2)).rejects.toThrow('run is in the tensor');
  });
});
