/** Movements: against NumPy's numbers, and bit for bit against the reference engine. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import type { Engine, Stream } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import type { Operand } from '../../src/laws/law.ts';
import type { EncodedNumber } from '../../src/records/numbers.ts';
import type { PairRecord } from '../../src/records/pair-record.ts';
import type { OpenEngine } from './contract.ts';
import { columnsOf, inputKinds, packed } from './law-inputs.ts';
import { randomBytes } from './seeded.ts';
import { contextOf, inlineStream, sweepOf } from './tensors.ts';
import { bytesOf, checksum, readVectors, real } from './vectors.ts';

interface ExpectedMovement {
  readonly changed: number;
  readonly deltaMax1: number;
  readonly deltaMax1Index: number;
  readonly deltaMax2: number;
  readonly deltaSquares: EncodedNumber;
  /** Lengths of the tables, and CRC-32 of their float64. */
  readonly rows: number;
  readonly blocks: number;
  readonly deltaOctaves: number;
  readonly rowEnergy: number;
  readonly blockEnergy: number;
  readonly secondGained: EncodedNumber;
  readonly ratioMean: EncodedNumber;
}

interface MovementCase {
  readonly dtype: DType;
  readonly elements: number;
  readonly rows: number;
  readonly seed: number;
  readonly and: string;
  readonly or: string;
  readonly moments: boolean;
  readonly inherited: number;
  /** Overwritten codes of wA, wB, mB, vB, vA. */
  readonly sets: readonly (readonly (readonly [number, string])[])[];
  readonly expected: ExpectedMovement;
}

const cases = readVectors<MovementCase[]>('movements.json');
const dtypes = [...new Set(cases.map((each) => each.dtype))];
const operands = ['wA', 'wB', 'mB', 'vB', 'vA'] as const;

type Streams = Partial<Record<Operand, Stream>>;

function streamsOf(each: MovementCase): Streams {
  const { dtype, elements, seed, or } = each;
  const streams: Streams = {};
  for (const [part, operand] of operands.slice(0, each.moments ? 5 : 2).entries()) {
    const sign = operand.startsWith('v') ? 1n << BigInt(dtypeBits[dtype] - 1) : 0n;
    const and = (BigInt(`0x${each.and}`) & ~sign).toString(16);
    const set = each.sets[part] ?? [];
    const bytes = bytesOf({ dtype, elements, seed: seed + part, and, or, set });
    streams[operand] = inlineStream(dtype, bytes);
  }
  return streams;
}

async function move(
  engine: Engine,
  streams: Streams,
  { rows = 0, inherited = 0 } = {},
): Promise<PairRecord> {
  const sweep = sweepOf(streams, { movement: { rows, inherited } });
  return (await engine.run(sweep, contextOf())).movement as PairRecord;
}

/** A record in the shape of an expectation. */
function shown(record: PairRecord) {
  return {
    ...record,
    secondGained: record.secondGained + 0,
    rows: record.rowEnergy.length,
    blocks: record.blockEnergy.length,
    deltaOctaves: checksum(record.deltaOctaves),
    rowEnergy: checksum(record.rowEnergy),
    blockEnergy: checksum(record.blockEnergy),
  };
}

function pack(values: Float64Array): Stream {
  return inlineStream('f32', packed('f32', values));
}

const f32 = (...values: number[]) => pack(Float64Array.from(values));
const f64 = (...values: number[]) => inlineStream('f64', packed('f64', Float64Array.from(values)));

export function movementContract(open: OpenEngine): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(dtypes)('says of moved %s what NumPy says, sums to the last bit', async (dtype) => {
    for (const each of cases.filter((one) => one.dtype === dtype)) {
      const { expected, elements, seed, and, or } = each;
      const record = await move(engine, streamsOf(each), each);
      expect(shown(record), `${dtype} × ${elements}, seed ${seed}, and ${and}, or ${or}`).toEqual({
        ...expected,
        deltaSquares: real(expected.deltaSquares),
        secondGained: real(expected.secondGained),
        ratioMean: real(expected.ratioMean),
      });
    }
  });

  it('is measured only where the sweep asks for it', async () => {
    const sweep = sweepOf({ wA: f32(1), wB: f32(2) });
    expect((await engine.run(sweep, contextOf())).movement).toBeNull();
  });

  it('counts the change of an element that is not finite and takes nothing else of it', async () => {
    const wA = f32(Number.NaN, 1, Infinity, Infinity, -3e38, 1);
    const wB = f32(1, Number.NaN, Infinity, 1, 3e38, 1.5);
    const record = await move(engine, { wA, wB });
    expect(record).toMatchObject({ changed: 5, deltaMax1: 0.5, deltaMax1Index: 5, deltaMax2: 0 });
    expect(record.deltaSquares).toBe(0.25);
    expect(record.deltaOctaves.reduce((sum, count) => sum + count)).toBe(1);
    expect(record.deltaOctaves[126]).toBe(1);
  });

  it('finds no largest step where none is finite', async () => {
    const record = await move(engine, { wA: f32(Infinity), wB: f32(0) });
    expect(record).toMatchObject({ changed: 1, deltaMax1: 0, deltaMax1Index: -1, deltaSquares: 0 });
  });

  it('knows weights that stand still, and zeros that change their sign', async () => {
    const still = await move(engine, { wA: f32(0, 7, 7), wB: f32(0, 7, 7) });
    expect(still).toMatchObject({ changed: 0, deltaMax1: 0, deltaMax1Index: 0, deltaMax2: 0 });
    expect(still.deltaOctaves[0]).toBe(3);
    expect(await move(engine, { wA: f32(0, 7), wB: f32(-0, 7) })).toMatchObject({ changed: 1 });
  });

  it('sees a step of float64 that float32 weights would not show', async () => {
    const record = await move(engine, { wA: f64(1), wB: f64(1 + 2 ** -40) });
    expect(record).toMatchObject({ changed: 1, deltaMax1: 2 ** -40, deltaSquares: 2 ** -80 });
  });

  it('compares two types by value', async () => {
    const wA = f32(1, 2, Number.NaN, 0);
    const wB = f64(1, 2.5, Number.NaN, -0);
    const record = await move(engine, { wA, wB });
    expect(record).toMatchObject({ changed: 2, deltaMax1: 0.5, deltaMax1Index: 1 });
  });

  it('names the first of equal steps, chunks apart', async () => {
    const elements = 540_000;
    const moved = new Float64Array(elements).fill(0.5);
    for (const at of [262_143, 262_144, 539_999]) moved[at] = -2;
    const still = inlineStream('f32', new Uint8Array(4 * elements));
    const record = await move(engine, { wA: still, wB: pack(moved) });
    expect(record).toMatchObject({ deltaMax1: 2, deltaMax1Index: 262_143, deltaMax2: 2 });
  });

  it('asks both ends for what the second moment gained, and the head for the ratio', async () => {
    const weights = { wA: f32(1, 1), wB: f32(2, 2) };
    const moments = { mB: f32(1, 3), vB: f32(2, 4) };
    expect(await move(engine, { ...weights, vB: f32(2, 4) })).toMatchObject({
      secondGained: 0,
      ratioMean: Number.NaN,
    });
    expect(await move(engine, { ...weights, ...moments })).toMatchObject({
      secondGained: 0,
      ratioMean: (1 / 2 + 9 / 4) / 2,
    });
    const all = { ...weights, ...moments, vA: f32(1, 2) };
    expect(await move(engine, all, { inherited: 0.5 })).toMatchObject({ secondGained: 4.5 });
  });
}

const kinds: readonly DType[] = ['f32', 'f64', 'bf16', 'f16'];

/** Bit for bit what the reference engine finds. */
export function sameMovements(open: OpenEngine): void {
  let engine: Engine;
  const reference = openReferenceEngine();
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(inputKinds)('agrees with the reference engine on %s of all types', async (kind) => {
    for (const [elements, rows] of [
      [67, 0],
      [1024, 256],
      [1041, 347],
      [3000, 4],
    ] as const) {
      for (let turn = 0; turn < 5; turn++) {
        const typeOf = (i: number) => kinds[turn < 4 ? turn : i % 4] as DType;
        const dtype = turn < 4 ? typeOf(0) : 'f16';
        const columns = columnsOf(kind, operands, { elements, dtype, seed: elements + turn });
        const streams: Streams = {};
        for (const [i, operand] of operands.entries()) {
          const values = columns[operand] as Float64Array;
          streams[operand] = inlineStream(typeOf(i), packed(typeOf(i), values));
        }
        const about = { rows, inherited: 0.75 };
        const expected = await move(reference, streams, about);
        expect(await move(engine, streams, about), `${turn} × ${elements}`).toEqual(expected);
      }
    }
  });

  it.each(['u8', 'bool', 'f4e2m1', 'f8e5m2fnuz', 'f8e8m0', 'i16', 'u64', 'c32'] as const)(
    'agrees with the reference engine on %s of random bits',
    async (dtype) => {
      for (const elements of [2, 66, 2050]) {
        const bytes = (elements * dtypeBits[dtype]) / 8;
        const streams: Streams = {};
        for (const [i, operand] of operands.entries()) {
          streams[operand] = inlineStream(dtype, randomBytes(elements + i, bytes));
        }
        const about = { rows: 2, inherited: 0.5 };
        const expected = await move(reference, streams, about);
        expect(await move(engine, streams, about), `${elements}`).toEqual(expected);
      }
    },
  );
}
