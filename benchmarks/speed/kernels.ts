/**
 * How fast is each kernel over data in cache, against a plain SIMD read of the same bytes?
 *
 *   npm run bench -- kernels
 *
 * Before anything is timed, the engine that is made of these kernels must find what the reference
 * engine finds on the same data. One chunk (262,144 elements) of each stream; best of many short
 * runs, so that other work on the machine shows less. GB are 10^9 source bytes. The rows about the
 * whole engine are CPU-seconds and count the copy from one memory to another, which is slower than
 * the kernel's copy from its page cache.
 */

import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import type { DType } from '../../src/checkpoint/dtype.ts';
import type { EngineContext, Stream, Sweep } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { type Kernels, loadKernels } from '../../src/engines/wasm/kernels.ts';
import { elementKernels, lineKernels } from '../../src/engines/wasm/law-kernels.ts';
import {
  countersAt,
  dataAt,
  digestsAt,
  lawAt,
  lawRecordBytes,
  movementAt,
  movementSpanElements as span,
  stateAt,
} from '../../src/engines/wasm/layout.ts';
import { prepareMemory } from '../../src/engines/wasm/sweep-pass.ts';
import { Views } from '../../src/engines/wasm/views.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import type { Constants, LawContext, Operand } from '../../src/laws/law.ts';
import { sweptLaw } from '../../src/laws/laws.ts';
import { chunkElements } from '../../src/records/grid.ts';
import type { Source } from '../../src/sources/source.ts';
import { adamPair } from './adam-pair.ts';
import { table } from './table.ts';

const slotBytes = 2 ** 20 + 4096;
const bestOf = 200;

/** Chunks of the sweeps that the whole engine is timed on: past what counts as a small tensor. */
const manyChunks = 9;

/** Seconds of the fastest of many runs; each run repeats the work to last about a millisecond. */
function fastest(work: () => void): number {
  work();
  let repeats = 1;
  for (;;) {
    const began = performance.now();
    for (let i = 0; i < repeats; i++) work();
    if (performance.now() - began > 0.7) break;
    repeats *= 2;
  }
  let best = Infinity;
  for (let turn = 0; turn < bestOf; turn++) {
    const began = performance.now();
    for (let i = 0; i < repeats; i++) work();
    best = Math.min(best, (performance.now() - began) / repeats);
  }
  return best / 1000;
}

const noSource: Source = {
  path: 'benchmark',
  isFile: false,
  list: async () => [],
  stat: async () => null,
  read: async () => {
    throw new Error('the benchmark reads no file');
  },
  localPath: () => null,
  close: async () => {},
};

const nothingElse: EngineContext = {
  sources: { head: noSource, base: null },
  checksums: { head: [], base: [] },
};

function stream(operand: string, dtype: DType, bytes: Uint8Array, chunks = 1): Stream {
  const elements = chunks * chunkElements;
  const about = { name: operand, role: 'other', parameter: null, mapping: null, aliasOf: null };
  const size = { dtype, shape: [elements], elements, file: 'benchmark' };
  const placement = { kind: 'inline', bytes } as const;
  return { origin: 'head', tensor: { ...about, ...size, placement } as Stream['tensor'] };
}

const context: LawContext = {
  ...{ kind: 'adamw', beta1: [0.9, 0.9], beta2: [0.999, 0.999], betasUnknown: null, eps: 1e-8 },
  ...{ weightDecay: 0.01, decoupled: true, rates: [1e-3, 1e-3], ratesUnknown: null },
  ...{ stepBase: 1000, stepHead: 1010, ownSteps: true, biasCorrection: true },
  ...{ stateFormat: { unit: 2 ** -24, tiny: 2 ** -149, cast: 0, nearest: true } },
  ...{ weightFormat: { unit: 2 ** -24, tiny: 2 ** -149, cast: 0, nearest: true } },
  ...{ hyper: {}, clipNorm: null, shape: null },
} as unknown as LawContext;

const lawIds = [
  'moment-bound',
  'moment-increment',
  'bounded-update',
  'state-progress',
  'no-blank-lines',
];

function boundLaws(): { law: string; constants: Constants }[] {
  return lawIds.flatMap((law) => {
    const binding = sweptLaw(law).bind(context);
    if (binding.kind === 'unknown') throw new Error(`${law}: ${binding.reason}`);
    const isLine = sweptLaw(law).scope === 'line';
    const subjects = isLine ? [0, 1, 2] : [0];
    return subjects.map((subject) => ({
      law,
      constants: isLine ? { ...binding.constants, subject } : binding.constants,
    }));
  });
}

/** The engine made of these kernels finds what the reference engine finds; else nothing is timed. */
async function verify(sweep: Sweep): Promise<void> {
  const engine = await openWasmEngine();
  const found = await engine.run(sweep, nothingElse);
  const expected = await openReferenceEngine().run(sweep, nothingElse);
  await engine.close();
  if (!isDeepStrictEqual(found, expected)) throw new Error('the engines differ: nothing is timed');
}

interface Row {
  readonly name: string;
  readonly bytes: number;
  readonly work: () => void;
}

function summaryRows(kernels: Kernels, at: (slot: number) => number): Row[] {
  const state = stateAt(0);
  const n = chunkElements;
  const f32 = at(0);
  const bf16 = at(6);
  return [
    {
      name: 'plain SIMD read (largest |x| by its bits)',
      bytes: 4 * n,
      work: () => kernels.isFiniteFloat32(f32, n),
    },
    {
      name: 'summary of float32',
      bytes: 4 * n,
      work: () => kernels.summariseFloat32(f32, n, state, 0, 8, 1),
    },
    { name: 'digests', bytes: 4 * n, work: () => kernels.digest(f32, 4 * n, digestsAt) },
    {
      name: 'bfloat16: lanes and sizes',
      bytes: 2 * n,
      work: () => kernels.scanBfloat16(bf16, n, stateAt(1), 0),
    },
    {
      name: 'bfloat16: count of every code',
      bytes: 2 * n,
      work: () => kernels.countHalf(bf16, n, countersAt(1)),
    },
    {
      name: 'equal bits',
      bytes: 8 * n,
      work: () => kernels.compare32(f32, at(1), n, digestsAt, digestsAt + 64),
    },
  ];
}

function movementRows(kernels: Kernels, at: (slot: number) => number): Row[] {
  const each = (work: (offset: number, start: number) => void) => () => {
    for (let start = 0; start < chunkElements; start += span) work(4 * start, start);
  };
  const state = movementAt;
  const blocks = span / 1024;
  return [
    {
      name: 'movement of weights',
      bytes: 8 * chunkElements,
      work: each((o, start) =>
        kernels.moveFloat32(
          at(0) + o,
          at(1) + o,
          blocks,
          state,
          start,
          8,
          4096 - (start % 4096),
          4096,
        ),
      ),
    },
    {
      name: 'what the second moment gained',
      bytes: 8 * chunkElements,
      work: each((o) => kernels.gainFloat32(at(4) + o, at(5) + o, blocks, state, 0, 0)),
    },
    {
      name: 'mean of m²/v',
      bytes: 8 * chunkElements,
      work: each((o) => kernels.ratioFloat32(at(3) + o, at(5) + o, blocks, state, 0)),
    },
  ];
}

const slots: readonly Operand[] = ['wA', 'wB', 'mA', 'mB', 'vA', 'vB'];

function lawRows(kernels: Kernels, views: Views, at: (slot: number) => number): Row[] {
  return boundLaws().map(({ law, constants }, slot) => {
    const kernel = elementKernels.get(law) ?? lineKernels.get(law);
    if (!kernel?.float32) throw new Error(`${law} has no kernel for float32`);
    const record = lawAt(slot);
    for (const [i, name] of kernel.constants.entries()) {
      views.f64[((record + lawRecordBytes) >>> 3) + i] = constants[name] ?? Number.NaN;
    }
    views.f64[(record + 8) >>> 3] = -1;
    const letter = ['w', 'm', 'v'][constants.subject ?? 0];
    const subject = lineKernels.has(law) ? ([`${letter}A`, `${letter}B`] as Operand[]) : [];
    const operands = [...subject, ...kernel.float32.operands];
    const words = operands.map((operand) => at(slots.indexOf(operand)));
    const judge = kernels[kernel.float32.name];
    const work = () => {
      for (let start = 0; start < chunkElements; start += span) {
        judge(
          span,
          record + lawRecordBytes,
          record,
          start,
          ...words.map((word) => word + 4 * start),
        );
      }
    };
    const bytes = 4 * chunkElements * new Set(operands).size;
    return { name: `${law}${subject.length > 0 ? ` of ${letter}` : ''}`, bytes, work };
  });
}

/** CPU-seconds that the whole engine takes for a sweep: copying in, kernels, records. */
async function engineSeconds(sweep: Sweep): Promise<number> {
  const engine = await openWasmEngine();
  let best = Infinity;
  for (let turn = 0; turn < bestOf / 4; turn++) {
    const began = process.cpuUsage();
    await engine.run(sweep, nothingElse);
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, user + system);
  }
  await engine.close();
  return best / 1e6;
}

/** The rows of the table. */
export async function kernelSpeeds(): Promise<string> {
  const pair = adamPair(chunkElements, 7);
  const half = Uint16Array.from(pair.wB, (_, i) => new Uint32Array(pair.wB.buffer)[i]! >>> 16);
  const streams: Partial<Record<Operand, Stream>> = {};
  for (const operand of slots) {
    const array = pair[operand as keyof typeof pair];
    streams[operand] = stream(operand, 'f32', new Uint8Array(array.buffer));
  }
  streams.copyB = stream('copyB', 'bf16', new Uint8Array(half.buffer));
  const sweep: Sweep = {
    elements: chunkElements,
    streams,
    summaries: ['wA', 'wB', 'copyB'],
    laws: boundLaws(),
    copies: [{ relation: 'equal', left: 'wA', right: 'wB' }],
    sha256: [],
    movement: { rows: 64, inherited: 0 },
  };
  await verify(sweep);
  const many: Partial<Record<Operand, Stream>> = {};
  for (const operand of slots) {
    const bytes = new Uint8Array(pair[operand as keyof typeof pair].buffer);
    const repeated = Buffer.concat(Array.from({ length: manyChunks }, () => bytes));
    many[operand] = stream(operand, 'f32', repeated, manyChunks);
  }
  const elements = manyChunks * chunkElements;
  const pairSweep: Sweep = { ...sweep, elements, streams: many, summaries: slots, copies: [] };
  const { movement: _, ...still } = pairSweep;
  const one = { wB: many.wB as Stream };
  const weights: Sweep = { ...still, streams: one, summaries: ['wB'], laws: [] };
  const { kernels, buffer } = await loadKernels();
  const views = new Views(buffer);
  prepareMemory({ kernels, views });
  const at = (slot: number) => dataAt + slot * slotBytes;
  for (const [slot, operand] of slots.entries()) {
    views.u8.set(new Uint8Array(pair[operand as keyof typeof pair].buffer), at(slot));
  }
  views.u8.set(new Uint8Array(half.buffer), at(6));
  const rows = [
    ...summaryRows(kernels, at),
    ...movementRows(kernels, at),
    ...lawRows(kernels, views, at),
  ];
  const measured = rows.map(({ name, bytes, work }) => ({ name, bytes, seconds: fastest(work) }));
  const only = { ...pairSweep, laws: [], summaries: [] };
  const { movement: __, ...copied } = only;
  const whole = [
    { name: 'engine: one float32 tensor', bytes: 4, of: weights },
    { name: 'engine: six tensors, copied in alone', bytes: 24, of: copied },
    { name: 'engine: the same and summaries', bytes: 24, of: { ...copied, summaries: slots } },
    { name: 'engine: the same and laws', bytes: 24, of: { ...still } },
    { name: 'engine: a pair with every law', bytes: 24, of: pairSweep },
  ];
  for (const { name, bytes, of } of whole) {
    const seconds = (await engineSeconds(of)) / manyChunks;
    measured.push({ name, bytes: bytes * chunkElements, seconds });
  }
  const plain = (measured[0]?.bytes ?? 0) / (measured[0]?.seconds ?? 1);
  return table(
    ['kernel', 'GB/s', 'of a plain read', 'ns an element'],
    measured.map(({ name, bytes, seconds }) => [
      name,
      (bytes / seconds / 1e9).toFixed(1),
      (bytes / seconds / plain).toFixed(2),
      ((seconds / chunkElements) * 1e9).toFixed(2),
    ]),
  );
}
