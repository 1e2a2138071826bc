import { describe, expect, it } from 'vitest';
import type { DcpSlice } from '../../../src/formats/dcp/metadata.ts';
import { checkSlices } from '../../../src/formats/dcp/slices.ts';

const of = (name: string, sizeBytes: number) => ({ name, sizeBytes, identity: name });
const metadata = of('.metadata', 10);

function slice(offset: number, length: number, file = '__0_0.distcp'): DcpSlice {
  return { name: `at ${offset}`, origin: [0], file, offset, length, transforms: [] };
}

function check(...slices: DcpSlice[]) {
  const files = [metadata, of('__0_0.distcp', 100)];
  const { placed, isWhole, problems } = checkSlices(slices, { folder: '', metadata, files });
  const told = problems.map(({ rule, offset }) => [rule, offset]);
  return { placed: placed.map((each) => each.slice.offset), isWhole, told };
}

describe('slices of a file', () => {
  it('that tile it are all there, in the order of the file', () => {
    expect(check(slice(60, 40), slice(0, 60))).toEqual({
      placed: [0, 60],
      isWhole: true,
      told: [],
    });
  });

  it.each([
    ['a gap', [slice(0, 40), slice(50, 50)], 'bytes-unclaimed', 40],
    ['an overlap', [slice(0, 60), slice(50, 50)], 'tensor-overlap', 50],
    ['bytes behind the last', [slice(0, 90)], 'trailing-bytes', 90],
    ['an end past that of the file', [slice(0, 60), slice(60, 41)], 'file-truncated', 100],
  ] as const)('with %s are told once, with the place', (_what, slices, rule, offset) => {
    expect(check(...slices).told).toEqual([[rule, offset]]);
  });

  it('that share bytes are read once, however many there are', () => {
    const many = Array.from({ length: 1000 }, () => slice(0, 100));
    const { placed, isWhole, told } = check(...many);
    expect(placed).toEqual([0]);
    expect(isWhole).toBe(false);
    expect(told).toEqual([['tensor-overlap', 0]]);
  });
});
