import { describe, expect, it } from 'vitest';
import { decodeNumber, encodeJson, encodeNumber } from '../../src/records/numbers.ts';

describe('the number codec', () => {
  it.each([
    [Number.NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
    [-0, '-0'],
    [0, 0],
    [1.5, 1.5],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [2 ** 60, '1152921504606846976'],
    [-(2 ** 63), '-9223372036854775808'],
    [5e-324, 5e-324],
    [1.7e308, 1.7e308],
  ])('writes %d as %s and reads it back', (value, encoded) => {
    expect(encodeNumber(value)).toBe(encoded);
    expect(decodeNumber(encoded)).toBe(value);
  });

  it('writes exact integers as numbers where that loses nothing, else as digits', () => {
    expect(encodeNumber(7n)).toBe(7);
    expect(encodeNumber(2n ** 64n - 1n)).toBe('18446744073709551615');
  });

  it('reads nothing out of anything else', () => {
    for (const value of [null, undefined, {}, 'seven', '1e5', '', true]) {
      expect(decodeNumber(value)).toBeNull();
    }
  });

  it('goes through a whole document and keeps the order of keys', () => {
    const document = { b: [Number.NaN, 1], a: { x: -0, y: 2n ** 63n, z: 'text' } };
    expect(encodeJson(document)).toBe(
      '{"b":["NaN",1],"a":{"x":"-0","y":"9223372036854775808","z":"text"}}',
    );
  });
});
