/** Summaries: against NumPy's numbers, and bit for bit against the reference engine. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { l2Of, meanOf, type SummaryRecord, stdOf } from '../../src/records/summary.ts';
import type { OpenEngine } from './contract.ts';
import { randomBelow, randomBytes, wordAt } from './seeded.ts';
import { summarise } from './tensors.ts';
import {
  bytesOf,
  exactExpectation,
  exactPart,
  readVectors,
  real,
  type SummaryCase,
} from './vectors.ts';

const cases = readVectors<SummaryCase[]>('summaries.json');
const dtypes = [...new Set(cases.map((each) => each.dtype))];

/** The documented bound of a sum's error. */
const sumError = 600 * 2 ** -53;

function expectSums(record: SummaryRecord, { dtype, expected }: SummaryCase): void {
  const scale = real(expected.sumAbs);
  if (Number.isFinite(scale)) {
    expect(Math.abs(record.sum - real(expected.sum))).toBeLessThanOrEqual(sumError * scale);
  }
  const squares = real(expected.sumSquares);
  if (Number.isFinite(squares) && record.squareScale === 1) {
    expect(Math.abs(record.sumSquares - squares)).toBeLessThanOrEqual(sumError * squares);
  }
  // Squares of complex128 past 1e154 leave the range of a double: that is documented for float64
  // alone.
  const l2 = real(expected.l2);
  if (dtype === 'c128' && !Number.isFinite(squares)) return;
  if (Number.isFinite(l2)) expect(Math.abs(l2Of(record) - l2)).toBeLessThanOrEqual(1e-12 * l2);
  else expect(l2Of(record)).toBe(l2);
}

/** Puts codes that matter (all ones, exponents, signs, zero) over random bytes. */
function adversarialBytes(dtype: DType, elements: number, seed: number): Uint8Array {
  const bytes = randomBytes(seed, Math.ceil((elements * dtypeBits[dtype]) / 8));
  const size = Math.max(1, dtypeBits[dtype] / 8);
  const tops = [0x7f, 0xff, 0x80, 0x00, 0x7c, 0xfc, 0x3f, 0x01, 0x78, 0xf8];
  for (let i = 0; i < bytes.length / size; i++) {
    const kind = randomBelow(6, seed + 1, i);
    if (kind > 2) continue;
    if (kind > 0)
      bytes.fill(kind === 1 ? 0 : wordAt(seed + 2, i) & 1 ? 255 : 0, i * size, (i + 1) * size);
    const top = tops[randomBelow(tops.length, seed + 3, i)] as number;
    bytes[(i + 1) * size - 1] = top;
    if (size > 1 && wordAt(seed + 4, i) & 1) bytes[(i + 1) * size - 2] = 0x80;
  }
  return bytes;
}

/** More than a chunk of ordinary float32, with blocks of zeros and a few that are not finite. */
function largeFloats(): Uint8Array {
  const values = Float32Array.from({ length: 270_000 }, (_, i) => Math.sin(i) / 50);
  values.fill(0, 2048, 4096);
  for (const [i, odd] of [1e-40, Number.NaN, Infinity, -Infinity, -0].entries()) {
    values[9000 + 2100 * i] = odd;
  }
  return new Uint8Array(values.buffer);
}

/** Narrow lengths around vectors and lines, then around blocks and pages of bytes. */
const lengths = [...Array.from({ length: 68 }, (_, i) => i), 1023, 1024, 1025];
const longLengths = [4095, 4096, 4097, 4098, 4099, 4100];

export function summaryContract(open: OpenEngine): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(dtypes)('says of %s what NumPy says', async (dtype) => {
    for (const each of cases.filter((one) => one.dtype === dtype)) {
      const record = await summarise(engine, dtype, bytesOf(each));
      const { seed, and, or, elements, expected } = each;
      const name = `${dtype} × ${elements}, seed ${seed}, and ${and}, or ${or}`;
      expect(record.elements, name).toBe(elements);
      expect(exactPart(record, expected), name).toEqual(exactExpectation(expected));
      expectSums(record, each);
    }
  });

  it.each(dtypes)('says of %s what is asked for the same, whatever is not', async (dtype) => {
    const ofBits = ({ octaves, ...rest }: SummaryRecord) => rest;
    const ofNumbers = ({ octaves, digests, laneOr, laneAnd, laneCount, ...rest }: SummaryRecord) =>
      rest;
    const given = cases.filter((one) => one.dtype === dtype).map(bytesOf);
    given.push(adversarialBytes(dtype, 4100, 5), randomBytes(9, 8192));
    if (dtype === 'f32') given.push(largeFloats());
    for (const bytes of given) {
      const full = await summarise(engine, dtype, bytes);
      const numbers = await summarise(engine, dtype, bytes, { detail: 'numbers' });
      expect(ofNumbers(numbers)).toEqual(ofNumbers(full));
      const bits = await summarise(engine, dtype, bytes, { detail: 'bits' });
      expect(ofBits(bits)).toEqual(ofBits(full));
    }
  });

  it('finds the largest element wherever it stands, and both of two equal ones', async () => {
    for (const at of [0, 1, 1023, 1024, 3000, 5000, 5119]) {
      const values = new Float32Array(5120).fill(0.5);
      values[at] = -8;
      const record = await summarise(engine, 'f32', new Uint8Array(values.buffer));
      expect(record).toMatchObject({ max1: 8, max1Index: at, max2: 0.5, min: -8, max: 0.5 });
      values[5119 - at] = 8;
      const two = await summarise(engine, 'f32', new Uint8Array(values.buffer));
      expect(two).toMatchObject({ max1: 8, max1Index: Math.min(at, 5119 - at), max2: 8 });
    }
  });

  it('measures the deviation where the mean hides it', async () => {
    const values = Float32Array.from({ length: 5000 }, (_, i) => 1000 + (i % 2) / 1024);
    const record = await summarise(engine, 'f32', new Uint8Array(values.buffer));
    expect(record.centredSquares).not.toBeNull();
    expect(meanOf(record)).toBeCloseTo(1000 + 1 / 2048, 10);
    expect(stdOf(record)).toBeCloseTo(1 / 2048, 12);
    const constant = await summarise(engine, 'i32', new Uint8Array(Int32Array.of(7, 7, 7).buffer));
    expect(stdOf(constant)).toBe(0);
  });

  it('measures the deviation of a tensor of many chunks by reading it again', async () => {
    const values = Float32Array.from({ length: 300_000 }, (_, i) => 4096 + (i % 4) / 64);
    const bytes = new Uint8Array(values.buffer);
    const record = await summarise(engine, 'f32', bytes);
    expect(stdOf(record)).toBeCloseTo(Math.sqrt(1.25) / 64, 12);
  });

  it('keeps the norm of float64 whose squares overflow or vanish', async () => {
    for (const size of [1e200, 1e-200, 5e-324]) {
      const values = Float64Array.of(size, -size, 0, size, size);
      const record = await summarise(engine, 'f64', new Uint8Array(values.buffer));
      expect(l2Of(record) / (2 * size)).toBeCloseTo(1, 12);
      expect(stdOf(record) / (Math.sqrt(0.64) * size)).toBeCloseTo(1, size < 1e-300 ? 0 : 12);
    }
  });

  it('keeps 64-bit integers exact', async () => {
    const signed = BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), 3n);
    expect(await summarise(engine, 'i64', new Uint8Array(signed.buffer))).toMatchObject({
      min: -(2n ** 63n),
      max: 2n ** 63n - 1n,
      max1: 2 ** 63,
      max1Index: 0,
      max2: 2 ** 63,
    });
    const unsigned = BigUint64Array.of(2n ** 64n - 1n, 5n);
    const record = await summarise(engine, 'u64', new Uint8Array(unsigned.buffer));
    expect(record).toMatchObject({ min: 5, max: 2n ** 64n - 1n });
  });

  it('knows nothing of an empty tensor and says so', async () => {
    const record = await summarise(engine, 'f32', new Uint8Array());
    expect(record).toMatchObject({ elements: 0, min: Number.NaN, max: Number.NaN, sum: 0 });
    expect(record).toMatchObject({ max1: 0, max1Index: -1, max2: 0, firstNonFinite: -1 });
    expect(record.digests).toHaveLength(0);
  });
}

/** Bit for bit what the reference engine finds. */
export function sameSummaries(open: OpenEngine): void {
  let engine: Engine;
  const reference = openReferenceEngine();
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(dtypes)('agrees with the reference engine on %s bit for bit', async (dtype) => {
    const all = dtypeBits[dtype] >= 32 || dtype === 'f16' ? [...lengths, ...longLengths] : lengths;
    for (const elements of all.filter((n) => (n * dtypeBits[dtype]) % 8 === 0)) {
      for (const bytes of [
        adversarialBytes(dtype, elements, elements),
        randomBytes(elements + 7, (elements * dtypeBits[dtype]) / 8),
        new Uint8Array((elements * dtypeBits[dtype]) / 8).fill(elements % 2 ? 0x3b : 0xff),
      ]) {
        const expected = await summarise(reference, dtype, bytes);
        expect(await summarise(engine, dtype, bytes), `${dtype} × ${elements}`).toEqual(expected);
      }
    }
  });

  it.each(['f32', 'bf16', 'f64', 'f8e5m2', 'c64'] as const)(
    'agrees with the reference engine on %s around the end of a chunk',
    async (dtype) => {
      for (const elements of [262_143, 262_144, 262_145]) {
        const bytes = adversarialBytes(dtype, elements, elements);
        const expected = await summarise(reference, dtype, bytes);
        expect(await summarise(engine, dtype, bytes), `${elements}`).toEqual(expected);
      }
    },
  );

  it.each([
    ['f32', 0x3d, [0x7f800000, 0xff800000, 0x7fc00000, 0, 0x80000000, 1, 0x7f7fffff]],
    ['bf16', 0x3d, [0x7f80, 0xff80, 0x7fc0, 0, 0x8000, 1, 0x7f7f]],
    ['f16', 0x2d, [0x7c00, 0xfc00, 0x7e00, 0, 0x8000, 1, 0x7bff]],
    ['i16', 0x01, [0, 0x8000, 0x7fff, 0xffff]],
  ] as const)('notices one odd element among ordinary %s', async (dtype, top, odd) => {
    const size = dtypeBits[dtype] / 8;
    for (const [i, code] of odd.entries()) {
      const bytes = randomBytes(i, 3072 * size);
      for (let at = size - 1; at < bytes.length; at += size) bytes[at] = top;
      const view = new DataView(bytes.buffer);
      const at = (1024 + 317 * i) * size;
      if (size === 4) view.setUint32(at, code, true);
      else view.setUint16(at, code, true);
      const expected = await summarise(reference, dtype, bytes);
      expect(await summarise(engine, dtype, bytes), code.toString(16)).toEqual(expected);
    }
  });

  it('agrees with the reference engine on deviations measured in a second sweep', async () => {
    const floats = Float32Array.from({ length: 300_000 }, (_, i) => 4096 + (i % 7) / 64);
    floats[77] = Number.NaN;
    const huge = Float64Array.from({ length: 140_000 }, (_, i) => 1e200 * (1 + (i % 5) * 1e-6));
    const codes = Uint16Array.from({ length: 5000 }, (_, i) => 0x4300 + (i % 3));
    for (const [dtype, values] of [
      ['f32', floats],
      ['f64', huge],
      ['bf16', codes],
    ] as const) {
      const bytes = new Uint8Array(values.buffer);
      const expected = await summarise(reference, dtype, bytes);
      expect(expected.centredSquares).not.toBeNull();
      expect(await summarise(engine, dtype, bytes), dtype).toEqual(expected);
    }
  });
}
