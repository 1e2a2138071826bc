import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/checkpoint/dtype.ts';
import { type Placement, type Tensor, unowned } from '../../src/checkpoint/tensor.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import type { Source } from '../../src/sources/source.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const seed = 20261121;

/** Numerical Recipes' linear congruence: the same views in every run. */
function* randoms(state: number): Generator<number, never> {
  for (let x = state >>> 0; ; ) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield x / 2 ** 32;
  }
}

const stream = randoms(seed);
const below = (limit: number) => Math.floor(stream.next().value * limit);

const sizes: Partial<Record<DType, number>> = {
  u8: 1,
  i16: 2,
  bf16: 2,
  f32: 4,
  f64: 8,
  c64: 8,
  c128: 16,
};

type View = Omit<Extract<Placement, { kind: 'strided' }>, 'kind' | 'file' | 'extentBytes'>;

function view(dtype: DType, shape: number[], given: View): Tensor {
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (given.strides[i] as number), 0);
  return {
    name: 'view',
    role: 'parameter',
    ...unowned,
    file: 'storage',
    dtype,
    shape,
    elements: shape.reduce((a, b) => a * b, 1),
    placement: {
      kind: 'strided',
      file: 'storage',
      extentBytes: (last + 1) * (sizes[dtype] as number),
      ...given,
    },
  };
}

/** The definition: one element after the other. */
function naive(storage: Uint8Array, of: Tensor): Uint8Array {
  const size = sizes[of.dtype] as number;
  const placement = of.placement as Extract<Placement, { kind: 'strided' }>;
  const bytes = new Uint8Array(of.elements * size);
  for (let i = 0; i < of.elements; i++) {
    let at = 0;
    let rest = i;
    for (let d = of.shape.length - 1; d >= 0; d--) {
      at += (rest % (of.shape[d] as number)) * (placement.strides[d] as number);
      rest = Math.floor(rest / (of.shape[d] as number));
    }
    const start = placement.offset + at * size;
    bytes.set(storage.subarray(start, start + size), i * size);
  }
  return bytes;
}

/** The same source, counting. */
function counted(source: Source): { source: Source; reads: number[] } {
  const reads: number[] = [];
  const read = (file: string, offset: number, into: Uint8Array) => {
    reads.push(into.length);
    return source.read(file, offset, into);
  };
  const { path, isFile } = source;
  const rest = { list: () => source.list(), stat: (file: string) => source.stat(file) };
  const close = () => source.close();
  return { source: { path, isFile, ...rest, read, localPath: () => null, close }, reads };
}

async function openStorage(bytes: Uint8Array): Promise<Source> {
  writeFileSync(join(folder, 'storage'), bytes);
  return openLocalSource(folder);
}

async function readRun(source: Source, of: Tensor, first: number, count: number) {
  const into = new Uint8Array(count * (sizes[of.dtype] as number) + 1).subarray(1);
  await readTensorBytes(source, of, { first, count, into });
  return into;
}

describe('a view', () => {
  it(`gives the elements of random shapes, strides and runs (seed ${seed})`, async () => {
    const storage = Uint8Array.from({ length: 200_000 }, () => below(256));
    const source = await openStorage(storage);
    const dtypes = Object.keys(sizes) as DType[];
    for (let round = 0; round < 400; round++) {
      const dtype = dtypes[below(dtypes.length)] as DType;
      const shape = Array.from({ length: below(5) }, () => 1 + below(7));
      const strides = shape.map(() => [0, 1, 2, 3, below(40), below(400)][below(6)] as number);
      const of = view(dtype, shape, { offset: below(50), strides });
      const whole = naive(storage, of);
      const size = sizes[dtype] as number;
      for (let run = 0; run < 6; run++) {
        const first = run === 0 ? 0 : below(of.elements);
        const count = run === 0 ? of.elements : 1 + below(of.elements - first);
        const expected = whole.subarray(first * size, (first + count) * size);
        const got = await readRun(source, of, first, count);
        const shown = `${dtype} ${shape} by ${strides}, ${first}+${count}`;
        expect(Buffer.compare(got, expected), shown).toBe(0);
      }
    }
    await source.close();
  });

  it('gives every dense permutation of four dimensions, page by page', async () => {
    const storage = Uint8Array.from({ length: 4 * 2 * 60 * 15 * 50 }, () => below(256));
    const source = await openStorage(storage);
    for (const order of [
      [3, 2, 1, 0],
      [0, 2, 3, 1],
      [2, 0, 1, 3],
    ]) {
      const stored = [2, 60, 15, 50];
      const step = (d: number) => stored.slice(d + 1).reduce((a, b) => a * b, 1);
      const shape = order.map((d) => stored[d] as number);
      const strides = order.map(step);
      const of = view('f32', shape, { offset: 0, strides });
      const whole = naive(storage, of);
      const parts: Uint8Array[] = [];
      for (let first = 0; first < of.elements; first += 7000) {
        parts.push(await readRun(source, of, first, Math.min(7000, of.elements - first)));
      }
      expect(Buffer.compare(Buffer.concat(parts), whole)).toBe(0);
    }
    await source.close();
  });

  it('reads a transposed matrix once, in windows', async () => {
    const [rows, columns] = [3000, 2500];
    const storage = new Float32Array(rows * columns);
    for (let i = 0; i < storage.length; i++) storage[i] = i;
    const bytes = new Uint8Array(storage.buffer);
    const { source, reads } = counted(await openStorage(bytes));
    const of = view('f32', [rows, columns], { offset: 0, strides: [1, rows] });
    const page = 262_144;
    for (let first = 0; first < of.elements; first += page) {
      const count = Math.min(page, of.elements - first);
      const into = new Float32Array(count);
      await readTensorBytes(source, of, { first, count, into: new Uint8Array(into.buffer) });
      for (let i = 0; i < count; i += 997) {
        const [row, column] = [Math.floor((first + i) / columns), (first + i) % columns];
        expect(into[i]).toBe(column * rows + row);
      }
    }
    const total = reads.reduce((a, b) => a + b, 0);
    expect(total).toBeLessThan(1.5 * bytes.length);
    expect(Math.max(...reads)).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(reads.length).toBeLessThan(6 * columns);
    await source.close();
  });

  it('never reads a large storage for a few elements of it', async () => {
    const { source, reads } = counted(await openStorage(new Uint8Array(32 * 1024 * 1024)));
    const of = view('f32', [2048, 4096], { offset: 0, strides: [1, 2048] });
    await readRun(source, of, 4096 * 100, 16);
    expect(reads.reduce((a, b) => a + b, 0)).toBeLessThan(1024 * 1024);
    await source.close();
  });

  it('expands without reading or building more than the run', async () => {
    const { source, reads } = counted(await openStorage(new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0])));
    const of = view('f32', [2 ** 40, 2], { offset: 0, strides: [0, 1] });
    const got = await readRun(source, of, 2 ** 40 - 3, 6);
    expect([...new Uint32Array(got.slice().buffer)]).toEqual([2, 1, 2, 1, 2, 1]);
    expect(reads.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(24);
    await source.close();
  });

  it('ignores any number of dimensions with one index', async () => {
    const source = await openStorage(new Uint8Array([9, 8, 7, 6]));
    const rank = 20_000;
    const shape = new Array<number>(rank).fill(1);
    shape[rank - 1] = 2;
    const of = view('u8', shape, { offset: 1, strides: new Array<number>(rank).fill(2) });
    expect([...(await readRun(source, of, 0, 2))]).toEqual([8, 6]);
    await source.close();
  });

  it('is asserted to stay inside the bytes it was checked to have', async () => {
    const source = await openStorage(new Uint8Array(64));
    const good = view('f32', [4, 2], { offset: 0, strides: [1, 8] });
    const short = { ...good.placement, extentBytes: 40 } as Placement;
    await expect(readRun(source, { ...good, placement: short }, 0, 8)).rejects.toThrow('checked');
    await source.close();
  });
});

describe('stored forms', () => {
  const bytesOf = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer);
  const floats = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];

  it('swaps big-endian numbers, each half of a complex one by itself', async () => {
    const source = await openStorage(new Uint8Array([0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]));
    const real = view('f32', [2], { offset: 0, strides: [1], bigEndian: true });
    expect(floats(await readRun(source, real, 0, 2))).toEqual([1, -2]);
    const complex = view('c64', [1], { offset: 0, strides: [1], bigEndian: true });
    expect(floats(await readRun(source, complex, 0, 1))).toEqual([1, -2]);
    const double = view('f64', [1], { offset: 0, strides: [1], bigEndian: true });
    const got = await readRun(source, double, 0, 1);
    expect([...got]).toEqual([0, 0, 0, 0xc0, 0, 0, 0x80, 0x3f]);
    await source.close();
  });

  it('conjugates by the sign of the imaginary part, of zeros and NaNs too', async () => {
    const source = await openStorage(bytesOf([1, 2, -3, 0, 5, Number.NaN]));
    const of = view('c64', [3], { offset: 0, strides: [1], lazy: 'conjugate' });
    const got = await readRun(source, of, 0, 3);
    expect(floats(got)).toEqual([1, -2, -3, -0, 5, Number.NaN]);
    expect(got[23]).toBe(0xff);
    await source.close();
  });

  it('negates floats by their sign and integers by two’s complement', async () => {
    const source = await openStorage(bytesOf([1, -2, 0]));
    const real = view('f32', [3], { offset: 0, strides: [1], lazy: 'negative' });
    expect(floats(await readRun(source, real, 0, 3))).toEqual([-1, 2, -0]);
    await source.close();
    const integers = Int16Array.from([5, -7, 0, -32768, 256]);
    const other = await openStorage(new Uint8Array(integers.buffer));
    const whole = view('i16', [5], { offset: 0, strides: [1], lazy: 'negative' });
    const got = await readRun(other, whole, 0, 5);
    expect([...new Int16Array(got.slice().buffer)]).toEqual([-5, 7, 0, -32768, -256]);
    await other.close();
  });
});
