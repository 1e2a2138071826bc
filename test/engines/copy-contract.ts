/** Copies: equal bits, or NumPy's rounding. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import type { CopyPlan, Engine } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import type { CopyRecord } from '../../src/records/copy-record.ts';
import type { OpenEngine } from './contract.ts';
import { randomBelow, randomBytes } from './seeded.ts';
import { contextOf, inlineStream, sweepOf } from './tensors.ts';
import { readVectors } from './vectors.ts';

interface Side {
  readonly dtype: DType;
  readonly bytes: Uint8Array;
}

async function compare(
  engine: Engine,
  relation: CopyPlan['relation'],
  { left, right }: { left: Side; right: Side },
): Promise<CopyRecord> {
  const streams = {
    wB: inlineStream(left.dtype, left.bytes),
    copyB: inlineStream(right.dtype, right.bytes),
  };
  const copies: CopyPlan[] = [{ relation, left: 'wB', right: 'copyB' }];
  const result = await engine.run(sweepOf(streams, { copies }), contextOf());
  return result.copies[0] as CopyRecord;
}

const dtypes = Object.keys(dtypeBits).filter((name) => !name.startsWith('f6')) as DType[];

interface Roundings {
  readonly float32: readonly number[];
  readonly bf16: readonly number[];
  readonly f16: readonly number[];
}

export function copyContract(open: OpenEngine): void {
  let engine: Engine;
  const reference = openReferenceEngine();
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(dtypes)('finds the first element of %s that differs, and counts them', async (dtype) => {
    const bits = dtypeBits[dtype];
    for (const elements of [2, 4, 16, 18, 66, 1030, 4098]) {
      const left = { dtype, bytes: randomBytes(elements, (elements * bits) / 8) };
      const right = { dtype, bytes: left.bytes.slice() };
      expect(await compare(engine, 'equal', { left, right })).toMatchObject({
        compared: elements,
        different: 0,
        first: -1,
      });
      const at = randomBelow(right.bytes.length, 5, elements);
      right.bytes[at] = (right.bytes[at] as number) ^ 0x10;
      const first = Math.floor((at * 8 + 4) / bits);
      const record = await compare(engine, 'equal', { left, right });
      expect(record).toMatchObject({ different: 1, first });
      const flip = BigInt(4 + 8 * at) % BigInt(bits);
      expect(record.expectedBits ^ record.foundBits).toBe(1n << flip);
    }
  });

  it.each(dtypes)('agrees with the reference engine about zeros of %s', async (dtype) => {
    const bits = dtypeBits[dtype];
    for (const elements of [2, 16, 34, 1026]) {
      const bytes = (elements * bits) / 8;
      const right = { dtype, bytes: randomBytes(elements, bytes) };
      const size = Math.max(1, bits / 8);
      for (let at = 0; at + size <= bytes; at += 3 * size) {
        right.bytes.fill(0, at, at + size);
        if (at % 2) right.bytes[at + size - 1] = 128;
      }
      const left = { dtype, bytes: new Uint8Array(bytes) };
      const expected = await compare(reference, 'equal', { left, right });
      expect(await compare(engine, 'equal', { left, right })).toEqual(expected);
    }
  });

  it('tells zeros of both signs apart and finds every NaN equal to itself', async () => {
    const word = (...words: number[]) => new Uint8Array(Uint32Array.from(words).buffer);
    const left = { dtype: 'f32' as const, bytes: word(0, 0x7fc00001, 0xffc00000) };
    const right = { dtype: 'f32' as const, bytes: word(0x80000000, 0x7fc00001, 0xffc00000) };
    expect(await compare(engine, 'equal', { left, right })).toEqual({
      compared: 3,
      different: 1,
      first: 0,
      expectedBits: 0n,
      foundBits: 0x80000000n,
      zerosFound: 1,
    });
  });

  it.each(['bf16', 'f16'] as const)('expects in %s what NumPy rounds to', async (dtype) => {
    const vectors = readVectors<Roundings>('roundings.json');
    for (const count of [1, 7, 8, 9, vectors.float32.length]) {
      const left = {
        dtype: 'f32' as const,
        bytes: new Uint8Array(Uint32Array.from(vectors.float32.slice(-count)).buffer),
      };
      const codes = Uint16Array.from(vectors[dtype].slice(-count));
      const right = { dtype, bytes: new Uint8Array(codes.buffer) };
      const good = await compare(engine, 'rounded', { left, right });
      expect(good).toMatchObject({ compared: count, different: 0, first: -1 });
      expect(good.zerosFound).toBe(codes.filter((code) => (code & 0x7fff) === 0).length);
      const at = randomBelow(count, 3, count);
      const expectedBits = BigInt(codes[at] as number);
      codes[at] = (codes[at] as number) ^ 1;
      expect(await compare(engine, 'rounded', { left, right })).toMatchObject({
        different: 1,
        first: at,
        expectedBits,
        foundBits: expectedBits ^ 1n,
      });
    }
  });

  it('keeps the first difference of a tensor of many chunks', async () => {
    const left = { dtype: 'u8' as const, bytes: randomBytes(1, 600_000) };
    const right = { dtype: 'u8' as const, bytes: left.bytes.slice() };
    for (const at of [300_001, 599_999]) right.bytes[at] = (right.bytes[at] as number) ^ 255;
    expect(await compare(engine, 'equal', { left, right })).toMatchObject({
      compared: 600_000,
      different: 2,
      first: 300_001,
    });
  });
}
