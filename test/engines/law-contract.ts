/** Laws: every one against its own definition, bit for bit. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DType } from '../../src/checkpoint/dtype.ts';
import type { Engine, Stream } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import type { BoundLaw, ElementLaw, LineLaw, Operand } from '../../src/laws/law.ts';
import { laws, sweptLaw } from '../../src/laws/laws.ts';
import { type LawRecord, ratioOf } from '../../src/records/law-record.ts';
import { lawContext } from '../laws/judge-arrays.ts';
import type { OpenEngine } from './contract.ts';
import { columnsOf, type InputKind, inputKinds, packed } from './law-inputs.ts';
import { contextOf, inlineStream, sweepOf } from './tensors.ts';

const swept = laws.filter((law): law is ElementLaw | LineLaw => law.scope !== 'record');

const adam = {
  ...{ beta1: 0.9, beta2: 0.999, weightDecay: 0.1, rates: [1e-4, 1e-3], rate: 1e-3 },
  ...{ stepBase: 10, stepHead: 20 },
};

/** Optimizers, windows and formats that give constants of every kind, infinite ones included. */
const contexts = [
  adam,
  { ...adam, stepHead: 11, averaging: { share: [0.1, 0.1001] } },
  { ...adam, stepBase: 0, stepHead: 1 },
  { ...adam, beta2: 0.95, eps: 1e-5, stepBase: 100, stepHead: 1100 },
  { ...adam, beta1: 0.99, beta2: 0.9, stepBase: 0, stepHead: 40_000 },
  { ...adam, kind: 'amsgrad', stepHead: 12 },
  { ...adam, bf16: true },
  { ...adam, bf16: true, kind: 'adam', weightDecay: 0, stepHead: 11 },
  { ...adam, kind: 'rmsprop', hyper: { alpha: 0.99 } },
  { ...adam, kind: 'adagrad' },
  { ...adam, kind: 'lion' },
  { ...adam, kind: 'sgd', hyper: { momentum: 0.9, dampening: 0, nesterov: false }, stepHead: 11 },
].map(lawContext);

/** Every way to bind a law; a line law for each of its three subjects. */
function bindingsOf(law: ElementLaw | LineLaw): BoundLaw[] {
  return contexts.flatMap((context) => {
    const binding = law.bind(context);
    if (binding.kind === 'unknown') return [];
    const variants = law.scope === 'line' ? [{ subject: 0 }, { subject: 1 }, { subject: 2 }] : [{}];
    return variants.map((more) => ({ law: law.id, constants: { ...binding.constants, ...more } }));
  });
}

const bindings = swept.flatMap(bindingsOf);

const operands = [...new Set(swept.flatMap((law) => law.operands))];

type Columns = Partial<Record<Operand, Float64Array>>;

function streamsOf(columns: Columns, dtypeOf: (operand: Operand, i: number) => DType) {
  const streams: Partial<Record<Operand, Stream>> = {};
  for (const [i, [operand, values]] of (
    Object.entries(columns) as [Operand, Float64Array][]
  ).entries()) {
    const dtype = dtypeOf(operand, i);
    streams[operand] = inlineStream(dtype, packed(dtype, values));
  }
  return streams;
}

async function judge(
  engine: Engine,
  bound: readonly BoundLaw[],
  streams: Partial<Record<Operand, Stream>>,
): Promise<readonly LawRecord[]> {
  return (await engine.run(sweepOf(streams, { laws: bound }), contextOf())).laws;
}

/** An element law's record from its definition alone. */
function expectedRecord(law: ElementLaw, bound: BoundLaw, columns: Columns): LawRecord {
  const record: LawRecord = { law: law.id, judged: 0, broken: 0, notFinite: 0, worst: null };
  const length = Object.values(columns)[0]?.length ?? 0;
  for (let index = 0; index < length; index++) {
    const values = law.operands.map((operand) => columns[operand]?.[index] ?? Number.NaN);
    if (law.operands.some((operand, j) => columns[operand] && !Number.isFinite(values[j]))) {
      record.notFinite += 1;
      continue;
    }
    const { left, right } = law.sides(values, bound.constants);
    const ratio = ratioOf(left, right);
    record.judged += 1;
    if (!(left <= right)) record.broken += 1;
    if (record.worst && !(ratio > record.worst.ratio)) continue;
    record.worst = { index, left, right, ratio, values };
  }
  return record;
}

const kinds: readonly DType[] = ['f32', 'f64', 'bf16', 'f16'];

export function lawContract(open: OpenEngine): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(inputKinds)('judges %s float32 as the laws are written', async (kind: InputKind) => {
    for (const elements of [1, 2, 3, 15, 17, 500, 1023, 1025, 2500]) {
      const columns = columnsOf(kind, operands, { elements, dtype: 'f32', seed: elements });
      const found = await judge(
        engine,
        bindings,
        streamsOf(columns, () => 'f32'),
      );
      for (const [i, bound] of bindings.entries()) {
        const law = sweptLaw(bound.law);
        if (law.scope !== 'element') continue;
        expect(found[i]).toEqual(expectedRecord(law, bound, columns));
      }
    }
  });

  it.each(inputKinds)('puts a figure on every single element of %s float64', async (kind) => {
    for (let seed = 0; seed < 150; seed++) {
      const columns = columnsOf(kind, operands, { elements: 1, dtype: 'f64', seed });
      // The logarithm's branches meet at √2.
      if (seed % 10 === 0) columns.vA?.fill(1);
      if (seed % 10 === 0) columns.vB?.fill(Math.SQRT2);
      const found = await judge(
        engine,
        bindings,
        streamsOf(columns, () => 'f64'),
      );
      for (const [i, bound] of bindings.entries()) {
        const law = sweptLaw(bound.law);
        if (law.scope !== 'element') continue;
        expect(found[i]).toEqual(expectedRecord(law, bound, columns));
      }
    }
  });

  it('leaves elements that are not finite to finite-values', async () => {
    const columns = {
      mB: Float64Array.of(Number.NaN, 1, 1e30),
      vB: Float64Array.of(1, Infinity, 1),
    };
    const bound = bindings.filter(({ law }) => law === 'moment-bound').slice(0, 1);
    const [record] = await judge(
      engine,
      bound,
      streamsOf(columns, () => 'f32'),
    );
    expect(record).toMatchObject({ judged: 1, broken: 1, notFinite: 2, worst: { index: 2 } });
  });

  it('takes no number from a complex operand, and judges none of its elements', async () => {
    const streams = {
      mB: inlineStream('c64', new Uint8Array(new Float32Array(6).fill(1).buffer)),
      vB: inlineStream('f32', new Uint8Array(new Float32Array(3).buffer)),
    };
    const bound = bindings.filter(({ law }) => law === 'moment-bound').slice(0, 1);
    const [record] = await judge(engine, bound, streams);
    expect(record).toMatchObject({ judged: 0, broken: 0, notFinite: 3, worst: null });
  });

  it('names the first of several elements that are equally bad, chunks apart', async () => {
    const elements = 540_000;
    const mB = new Float64Array(elements).fill(1e-3);
    const vB = new Float64Array(elements).fill(1);
    for (const at of [262_143, 262_144, 539_999]) mB[at] = 1e3;
    const bound = bindings.filter(({ law }) => law === 'moment-bound').slice(0, 1);
    const [record] = await judge(
      engine,
      bound,
      streamsOf({ mB, vB }, () => 'f32'),
    );
    expect(record).toMatchObject({ judged: elements, broken: 3, worst: { index: 262_143 } });
    expect(record?.worst?.values).toEqual([1e3, 1]);
  });

  it('sees an element that is worse by the last bit', async () => {
    const mB = new Float64Array(5000).fill(1e-3);
    const vB = new Float64Array(5000).fill(1);
    const bound = bindings.filter(({ law }) => law === 'moment-bound').slice(0, 1);
    mB[7] = 0.5;
    mB[4999] = 0.5 + 2 ** -53;
    const [record] = await judge(
      engine,
      bound,
      streamsOf({ mB, vB }, () => 'f64'),
    );
    expect(record?.worst?.index).toBe(4999);
  });

  it('finds the line that stood still, and judges no partial line', async () => {
    const elements = 1100;
    const columns = columnsOf('ordinary', ['wA', 'mA', 'vA', 'wB', 'mB', 'vB'], {
      elements,
      dtype: 'f32',
      seed: 5,
    }) as Required<Columns>;
    const line = 1040;
    columns.mB.set(columns.mA.subarray(line, line + 16), line);
    columns.mB.set(columns.mA.subarray(1088), 1088);
    const context = lawContext({ ...adam, stepHead: 11 });
    const binding = sweptLaw('state-progress').bind(context);
    if (binding.kind !== 'bound') throw new Error(binding.reason);
    const bound = { law: 'state-progress', constants: { ...binding.constants, subject: 1 } };
    const [record] = await judge(
      engine,
      [bound],
      streamsOf(columns, () => 'f32'),
    );
    expect(record).toMatchObject({ broken: 1, worst: { index: line, ratio: Infinity } });
    expect(record?.worst?.values[1]).toBe(columns.mA[line]);
    expect((record as LawRecord).judged % 16).toBe(0);
    expect((record as LawRecord).judged).toBeLessThanOrEqual(1088);
  });

  it('binds every law that runs in a sweep at least once', () => {
    const bound = new Set(bindings.map(({ law }) => law));
    expect(swept.map(({ id }) => id).filter((id) => !bound.has(id))).toEqual([]);
  });
}

/** Bit for bit what the reference engine finds. */
export function sameLaws(open: OpenEngine): void {
  let engine: Engine;
  const reference = openReferenceEngine();
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  it.each(inputKinds)('agrees with the reference engine on %s of all types', async (kind) => {
    for (const dtype of [...kinds, 'mixed'] as const) {
      for (const elements of [16, 67, 1024, 1041, 3000]) {
        const mixed = (i: number) => kinds[i % kinds.length] as DType;
        const columns = columnsOf(kind, operands, {
          elements,
          dtype: dtype === 'mixed' ? 'f16' : dtype,
          seed: elements + 1,
        });
        const streams = streamsOf(columns, (_, i) => (dtype === 'mixed' ? mixed(i) : dtype));
        const expected = await judge(reference, bindings, streams);
        expect(await judge(engine, bindings, streams), `${dtype} × ${elements}`).toEqual(expected);
      }
    }
  });

  it('judges each operand that is missing as the reference engine does', async () => {
    for (const gone of operands) {
      const rest = operands.filter((operand) => operand !== gone);
      const columns = columnsOf('ordinary', rest, { elements: 100, dtype: 'f32', seed: 3 });
      const streams = streamsOf(columns, () => 'f32');
      const expected = await judge(reference, bindings, streams);
      expect(await judge(engine, bindings, streams), gone).toEqual(expected);
    }
  });

  it('judges however many laws a sweep has', async () => {
    const many = Array.from({ length: 6 }, () => bindings).flat();
    expect(many.length).toBeGreaterThan(256);
    const columns = columnsOf('adversarial', operands, { elements: 1100, dtype: 'f32', seed: 8 });
    const found = await judge(
      engine,
      many,
      streamsOf(columns, () => 'f32'),
    );
    for (let i = bindings.length; i < many.length; i++) {
      expect(found[i]).toEqual(found[i % bindings.length]);
    }
  });
}
