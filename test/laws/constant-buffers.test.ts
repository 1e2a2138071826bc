/** Buffers that are computed once: their names, and the frequencies of rotary embeddings. */
import { describe, expect, it } from 'vitest';
import { inverseFrequencies, isConstantBuffer } from '../../src/laws/constant-buffers.ts';

/** 1 / base ** (arange(0, d, 2) / d) in float32, by NumPy. */
const frequencies: readonly (readonly [number, string])[] = [
  [
    10000,
    'AACAP5r1Dz+b6KE+hxg2Ps3MzD3CVWY944YBPTmtkTwK1yM8nES4Ozg+TzsoFek6bxKDOhZqEzpgy6U5' + 'U3c6OQ==',
  ],
  [
    500000,
    'AACAP8XhKT+8d+E+4p6VPrCTRj6gxgM+reSuPWceaD3ICBo9SW/MPMOphzxtDTQ8T/fuOwKUnjsgd1I7' +
      'QaoLOyFduTrqA3Y6jUEjOoKs2Dn4yI8589Q+OcNF/ThqEqg4xhBfOMsGFDgQdsQ3NF+CN6cHLTdNpeU2' +
      'p2SYNrFBSjY=',
  ],
  [1000000, 'AACAP4cYNj7jhgE9nES4O28SgzpTdzo5sqIEOMGwvDY='],
];

function floats(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function stepped(values: Float32Array, index: number, ulps: number): Float32Array {
  const copy = values.slice();
  const words = new Uint32Array(copy.buffer);
  words[index] = (words[index] as number) + ulps;
  return copy;
}

describe('the frequencies of a rotary embedding', () => {
  it.each(frequencies)('of base %d are right as they are', (_base, text) => {
    const values = floats(text);
    expect(inverseFrequencies(values)).toEqual(values);
  });

  it.each(frequencies)('of base %d are corrected where one value was changed', (_base, text) => {
    const values = floats(text);
    for (const index of [0, 1, 5, values.length - 1]) {
      expect(inverseFrequencies(stepped(values, index, 1))?.[index]).toBe(
        stepped(values, index, 1)[index],
      );
      const right = inverseFrequencies(stepped(values, index, 16));
      expect(right?.[index]).not.toBe(stepped(values, index, 16)[index]);
      expect(right?.[index]).toBeCloseTo(values[index] as number, 6);
    }
  });

  it('tell no base where they are scaled, few, or no such powers', () => {
    const [, text] = frequencies[0] as (typeof frequencies)[number];
    const values = floats(text);
    expect(inverseFrequencies(values.map((x) => x / 8))).toBeNull();
    expect(inverseFrequencies(values.slice(0, 7))).toBeNull();
    expect(inverseFrequencies(new Float32Array(16))).toBeNull();
    expect(inverseFrequencies(new Float32Array(16).fill(Number.NaN))).toBeNull();
    expect(inverseFrequencies(values.map((x) => x * x * 1.01))).toBeNull();
  });
});

describe('a constant buffer', () => {
  it('is one by its name', () => {
    const names = ['model.rotary_emb.inv_freq', 'embeddings.position_ids', 'h.0.attn.masked_bias'];
    expect(names.map((name) => isConstantBuffer(name, 'f32'))).toEqual([true, true, true]);
    expect(isConstantBuffer('h.0.attn.bias', 'bool')).toBe(true);
  });

  it('is none that training may write', () => {
    expect(isConstantBuffer('h.0.attn.bias', 'f32')).toBe(false);
    expect(isConstantBuffer('fc.weight_mask', 'bool')).toBe(false);
    expect(isConstantBuffer('fc.mask', 'f32')).toBe(false);
    expect(isConstantBuffer('bn.num_batches_tracked', 'i64')).toBe(false);
    expect(isConstantBuffer('bn.running_mean', 'f32')).toBe(false);
  });
});
