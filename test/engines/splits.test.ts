/** Properties: however a tensor is cut into pieces and files, and wherever a NaN lies, the findings are the same. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Piece, Tensor } from '../../src/checkpoint/tensor.ts';
import { openEngine } from '../../src/engines/choose.ts';
import type { Engine, Sweep, SweepResult } from '../../src/engines/engine.ts';
import type { Operand } from '../../src/laws/law.ts';
import { sweptLaw } from '../../src/laws/laws.ts';
import { emptyLawRecord, type LawRecord, mergeLawRecord } from '../../src/records/law-record.ts';
import type { Source } from '../../src/sources/source.ts';
import { type Arrays, judgeArrays, lawContext } from '../laws/judge-arrays.ts';

const engines: Engine[] = [];

beforeAll(async () => {
  engines.push(await openEngine('wasm'), await openEngine('reference'));
});

afterAll(async () => {
  for (const engine of engines) await engine.close();
});

/** Files in memory. */
function memorySource(files: ReadonlyMap<string, Uint8Array>): Source {
  return {
    path: 'memory',
    isFile: false,
    list: async () => [],
    stat: async () => null,
    read: async (file, offset, into) => {
      into.set((files.get(file) as Uint8Array).subarray(offset, offset + into.length));
    },
    localPath: () => null,
    close: async () => {},
  };
}

/** Cuts `values` at `cuts` into files of their own, each with some bytes before. */
function tensorOf(
  name: string,
  values: Float32Array,
  cuts: readonly number[],
  files: Map<string, Uint8Array>,
): Tensor {
  const edges = [0, ...cuts.filter((cut) => cut < values.length), values.length];
  const bytes = new Uint8Array(values.buffer);
  const pieces: Piece[] = edges.slice(1).map((end, i) => {
    const start = edges[i] as number;
    const file = `${name}.${i}`;
    const stored = new Uint8Array(7 * i + 4 * (end - start));
    stored.set(bytes.subarray(4 * start, 4 * end), 7 * i);
    files.set(file, stored);
    return { file, offset: 7 * i, elements: end - start };
  });
  return {
    ...{ name, role: 'other', parameter: null, mapping: null, aliasOf: null, file: '' },
    ...{ dtype: 'f32', shape: [values.length], elements: values.length },
    placement: { kind: 'dense', pieces },
  } as Tensor;
}

const operands = ['wA', 'wB', 'mA', 'mB', 'vA', 'vB'] as const;

/** Healthy-looking state of AdamW with a few broken elements, all from one seed. */
function arraysOf(seed: number, length: number): Record<(typeof operands)[number], Float32Array> {
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const fill = (make: () => number) => Float32Array.from({ length }, make);
  const vA = fill(() => next() * 1e-3);
  return {
    wA: fill(() => next() - 0.5),
    wB: fill(() => next() - 0.5),
    mA: fill(() => (next() - 0.5) * 1e-2),
    mB: fill(() => (next() - 0.5) * 1e-1),
    vA,
    vB: vA.map((v) => v * (next() < 0.02 ? 0.5 : 1.001)),
  };
}

const context = lawContext({
  ...{ beta1: 0.9, beta2: 0.999, stepBase: 50, stepHead: 60, rates: [1e-3, 1e-3], eps: 1e-8 },
});
const lawIds = ['moment-bound', 'moment-increment', 'bounded-update', 'second-moment-decay'];
const bound = lawIds.map((id) => {
  const binding = sweptLaw(id).bind(context);
  if (binding.kind === 'unknown') throw new Error(binding.reason);
  return { law: id, constants: binding.constants };
});

async function run(
  engine: Engine,
  arrays: Record<string, Float32Array>,
  cuts: readonly number[],
): Promise<SweepResult> {
  const files = new Map<string, Uint8Array>();
  const streams = Object.fromEntries(
    operands.map((operand) => {
      const tensor = tensorOf(operand, arrays[operand] as Float32Array, cuts, files);
      return [operand, { tensor, origin: operand.endsWith('A') ? 'base' : 'head' } as const];
    }),
  );
  const sweep: Sweep = {
    elements: (arrays.wA as Float32Array).length,
    streams,
    summaries: ['wB', 'mB', 'vB'],
    laws: bound,
    copies: [{ relation: 'equal', left: 'wA', right: 'wB' }],
    sha256: ['wB'],
    movement: { rows: 0, inherited: 0.5 },
  };
  const source = memorySource(files);
  const none = { head: [], base: [] };
  return engine.run(sweep, { sources: { head: source, base: source }, checksums: none });
}

const lengths = fc.integer({ min: 1, max: 5000 });
const cutLists = fc
  .array(fc.integer({ min: 1, max: 4999 }), { maxLength: 6 })
  .map((cuts) => [...new Set(cuts)].sort((a, b) => a - b));

describe('any split', () => {
  it('into pieces and files gives the same records, bit for bit, on both engines', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), lengths, cutLists, async (seed, length, cuts) => {
        const arrays = arraysOf(seed, length);
        const whole = await run(engines[1] as Engine, arrays, []);
        for (const engine of engines) expect(await run(engine, arrays, cuts)).toEqual(whole);
      }),
      { numRuns: 40, seed: 20261121 },
    );
  });

  it('of a law’s elements merges to the record of the whole', () => {
    fc.assert(
      fc.property(fc.integer(), lengths, cutLists, (seed, length, cuts) => {
        const arrays = arraysOf(seed, length);
        for (const { law: id, constants } of bound) {
          const law = sweptLaw(id);
          const part = (from: number, to: number): LawRecord => {
            const sliced = Object.fromEntries(
              operands.map((o) => [o, arrays[o].slice(from, to)]),
            ) as Arrays;
            const record = judgeArrays(law, constants, sliced);
            const { worst } = record;
            return worst ? { ...record, worst: { ...worst, index: worst.index + from } } : record;
          };
          const merged = emptyLawRecord(id);
          const edges = [0, ...cuts.filter((cut) => cut < length), length];
          for (const [i, end] of edges.slice(1).entries()) {
            mergeLawRecord(merged, part(edges[i] as number, end));
          }
          expect(merged).toEqual(part(0, length));
        }
      }),
      { numRuns: 40, seed: 20261121 },
    );
  });
});

describe('one NaN', () => {
  it('blinds no other element: the rest is judged as if it were not there', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 2, max: 3000 }),
        fc.constantFrom<Operand>(...operands),
        fc.nat(),
        async (seed, length, operand, place) => {
          const arrays = arraysOf(seed, length);
          const at = place % length;
          const clean = await run(engines[0] as Engine, arrays, []);
          (arrays[operand as (typeof operands)[number]] as Float32Array)[at] = Number.NaN;
          const hurt = await run(engines[0] as Engine, arrays, []);
          clean.laws.forEach((before, i) => {
            const after = hurt.laws[i] as LawRecord;
            const used = sweptLaw(before.law).operands.includes(operand);
            expect(after.judged).toBe(before.judged - (used ? 1 : 0));
            expect(after.notFinite).toBe(used ? 1 : 0);
            expect(before.broken - after.broken).toBeLessThanOrEqual(used ? 1 : 0);
            if (before.worst && before.worst.index !== at)
              expect(after.worst).toEqual(before.worst);
          });
        },
      ),
      { numRuns: 60, seed: 20261121 },
    );
  });
});
