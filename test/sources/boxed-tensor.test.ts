import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locate } from '../../src/checkpoint/locate.ts';
import { type Box, type Tensor, unowned } from '../../src/checkpoint/tensor.ts';
import { tilingFault } from '../../src/formats/box-tiling.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();

/** Cuts `size` at random places into one or more lengths. */
function cuts(size: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.integer({ min: 1, max: Math.max(1, size - 1) }), { maxLength: 3 })
    .map((at) => {
      const borders = [0, ...at.filter((cut) => cut < size).sort((a, b) => a - b), size];
      return borders.slice(1).map((end, i) => end - (borders[i] as number));
    });
}

const grid = fc
  .array(fc.integer({ min: 1, max: 7 }), { minLength: 0, maxLength: 3 })
  .chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(cuts))));

/** The boxes of a grid, their elements' flat indices written one box after the other. */
function boxesOf(shape: readonly number[], lengths: readonly (readonly number[])[]) {
  let extents: { origin: number[]; sizes: number[] }[] = [{ origin: [], sizes: [] }];
  for (const dimension of lengths) {
    extents = extents.flatMap(({ origin, sizes }) => {
      let at = 0;
      return dimension.map((length) => {
        at += length;
        return { origin: [...origin, at - length], sizes: [...sizes, length] };
      });
    });
  }
  const values: number[] = [];
  const boxes = extents.reverse().map(({ origin, sizes }, rank): Box => {
    const elements = sizes.reduce((product, size) => product * size, 1);
    const offset = values.length * 4;
    for (let i = 0; i < elements; i++) {
      let rest = i;
      let flat = 0;
      let stride = 1;
      for (let d = sizes.length - 1; d >= 0; d--) {
        flat += ((rest % (sizes[d] as number)) + (origin[d] as number)) * stride;
        stride *= shape[d] as number;
        rest = Math.floor(rest / (sizes[d] as number));
      }
      values.push(flat);
    }
    const pieces = [{ file: 'boxes', offset, elements }];
    return { origin, sizes, placement: { kind: 'dense', pieces }, rank };
  });
  return { boxes, values };
}

function tensorOf(shape: readonly number[], boxes: readonly Box[]): Tensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  return {
    name: 't',
    role: 'parameter',
    ...unowned,
    file: 'boxes',
    dtype: 'i32',
    shape,
    elements,
    placement: { kind: 'boxes', boxes },
  };
}

describe('a tensor in boxes', () => {
  it('reads as the whole, whatever the boxes and the run', async () => {
    await fc.assert(
      fc.asyncProperty(
        grid,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async ([shape, lengths], a, b) => {
          const { boxes, values } = boxesOf(shape, lengths);
          writeFileSync(join(folder, 'boxes'), new Uint8Array(Int32Array.from(values).buffer));
          const tensor = tensorOf(shape, boxes);
          expect(tilingFault(shape, boxes)).toBeNull();
          const first = Math.floor(Math.min(a, b) * tensor.elements);
          const end = Math.ceil(Math.max(a, b) * tensor.elements);
          const into = new Uint8Array((end - first) * 4);
          const source = await openLocalSource(folder);
          const bytesRead = await readTensorBytes(source, tensor, {
            first,
            count: end - first,
            into,
          });
          await source.close();
          expect(bytesRead).toBe(into.length);
          expect([...new Int32Array(into.buffer)]).toEqual(
            Array.from({ length: end - first }, (_, i) => first + i),
          );
          for (let i = first; i < end; i++) {
            const place = locate(tensor, i);
            expect(values[(place.offset as number) / 4]).toBe(i);
            expect((boxes[place.rank as number] as Box).placement).toMatchObject({ kind: 'dense' });
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the tiling of a shape', () => {
  const box = (origin: number[], sizes: number[]) => ({ origin, sizes });

  it('has no gap, no overlap and nothing outside', () => {
    const halves = [box([0, 0], [2, 3]), box([2, 0], [2, 3])];
    expect(tilingFault([4, 3], halves)).toBeNull();
    expect(tilingFault([5, 3], halves)).toMatch(/hold 12 of 15/);
    expect(tilingFault([3, 3], halves)).toMatch(/outside/);
    expect(tilingFault([4, 3], [...halves, box([1, 1], [1, 1])])).toMatch(/overlaps/);
    expect(tilingFault([4, 3], [...halves, box([1, 1], [0, 1])])).toBeNull();
    expect(tilingFault([4, 3], [box([0], [4])])).toMatch(/outside/);
    expect(tilingFault([4, 3], [box([0, -1], [4, 3])])).toMatch(/outside/);
    expect(tilingFault([4, 3], [box([0, 0], [4, 2 ** 60])])).toMatch(/outside/);
  });

  it('of a scalar is one box', () => {
    expect(tilingFault([], [box([], [])])).toBeNull();
    expect(tilingFault([], [])).toMatch(/0 of 1/);
    expect(tilingFault([], [box([], []), box([], [])])).toMatch(/overlaps/);
  });

  it('is refused where it would take too long to check', () => {
    const stairs = (steps: number) =>
      Array.from({ length: steps }, (_, i) => box([i, i], [steps - i, 1]));
    expect(tilingFault([100, 100], stairs(100))).toMatch(/hold 5050 of 10000/);
    expect(() => tilingFault([12_000, 12_000], stairs(12_000))).toThrow(/too long/);
  });
});
