/** Worker threads: however many there are and whatever becomes of them, the records are the same bits. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import type { Engine, EngineContext, Stream, Sweep } from '../../src/engines/engine.ts';
import { startThread } from '../../src/engines/wasm/thread-pool.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import type { Operand } from '../../src/laws/law.ts';
import { sweptLaw } from '../../src/laws/laws.ts';
import { chunkElements } from '../../src/records/grid.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import type { Source } from '../../src/sources/source.ts';
import { lawContext } from '../laws/judge-arrays.ts';
import { randomBelow, wordAt } from './seeded.ts';
import { sweepOf, tensorOf } from './tensors.ts';

/** One chunk a part, and threads for the least work. */
const eager = { partBytes: 1, threadedBytes: 1 };

let folder: string;
let source: Source;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'laika-threads-'));
  source = await openLocalSource(folder);
});

afterAll(async () => {
  await source.close();
  rmSync(folder, { recursive: true });
});

/** Random elements; of float32, ordinary ones with a few that are not finite, zero or subnormal. */
function elementsOf(dtype: DType, count: number, seed: number, positive: boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((count * dtypeBits[dtype]) / 32) * 4);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = wordAt(seed, i);
  if (dtype === 'f32') {
    const sign = positive ? 0 : 0x80000000;
    for (let i = 0; i < words.length; i++) {
      words[i] = ((words[i] as number) & (0x80ffffff & (sign | 0x7fffffff))) | 0x3b000000;
    }
    const odd = [0x7fc00000, 0x7f800000, 0xff800000, 0, 1, 0x80000000];
    for (const [i, word] of odd.entries()) words[randomBelow(count, seed, i)] = word;
  }
  return bytes.subarray(0, Math.ceil((count * dtypeBits[dtype]) / 8));
}

/** A stream in a file, and its bytes. */
interface Stored {
  readonly stream: Stream;
  readonly path: string;
  readonly bytes: Buffer;
  readonly offset: number;
}

interface Made {
  readonly sweep: Sweep;
  readonly context: EngineContext;
}

let files = 0;

const kinds = ['crc32', 'crc32c', 'crc32c-masked'] as const;

/** A sweep over streams of these types whose bytes lie in files, with checksums of every stream. */
function make(types: Partial<Record<Operand, DType>>, elements: number, seed: number): Made {
  const streams: Partial<Record<Operand, Stream>> = {};
  const checksums = [];
  for (const [i, [operand, dtype]] of Object.entries(types).entries()) {
    const file = `${operand}-${files++}`;
    const bytes = elementsOf(dtype, elements, seed + i, operand.startsWith('v'));
    writeFileSync(join(folder, file), Buffer.concat([Buffer.alloc(i), bytes]));
    const placement = { kind: 'dense' as const, pieces: [{ file, offset: i, elements }] };
    streams[operand as Operand] = { tensor: tensorOf(dtype, elements, placement), origin: 'head' };
    const covered = { file, member: file, offset: i, length: bytes.length, expected: 0 };
    checksums.push({ kind: kinds[i % 3] as (typeof kinds)[number], ...covered });
  }
  const summaries = Object.keys(types) as Operand[];
  const context = {
    sources: { head: source, base: null },
    checksums: { head: checksums, base: [] },
  };
  return { sweep: sweepOf(streams, { summaries }), context };
}

const known = lawContext({
  ...{ beta1: 0.9, beta2: 0.999, stepBase: 50, stepHead: 60, rates: [1e-3, 1e-3], eps: 1e-8 },
});
const lawIds = ['moment-bound', 'moment-increment', 'bounded-update', 'state-progress'];
const laws = lawIds.map((id) => {
  const binding = sweptLaw(id).bind(known);
  if (binding.kind === 'unknown') throw new Error(binding.reason);
  return { law: id, constants: { subject: 0, ...binding.constants } };
});

function pair(elements: number, seed: number, rows: number): Made {
  const types = { wA: 'f32', wB: 'f32', mA: 'f32', mB: 'f32', vA: 'f32', vB: 'f32' } as const;
  const { sweep, context } = make(types, elements, seed);
  const copies = [{ relation: 'equal' as const, left: 'wA' as const, right: 'wB' as const }];
  return { sweep: { ...sweep, laws, copies, movement: { rows, inherited: 0.5 } }, context };
}

async function withEngine<T>(
  options: Parameters<typeof openWasmEngine>[0],
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await openWasmEngine({ ...eager, ...options });
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

const alone = (made: Made) =>
  withEngine({ threads: 1 }, (engine) => engine.run(made.sweep, made.context));

describe('any number of threads', () => {
  it('finds the same bits in a pair of every law', async () => {
    const engines = [await openWasmEngine({ ...eager, threads: 2 })];
    engines.push(await openWasmEngine({ ...eager, threads: 3, partBytes: 12 * chunkElements * 4 }));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 * chunkElements }),
        fc.nat(),
        fc.constantFrom(1, 4, 33, 1000),
        async (size, seed, rows) => {
          const made = pair(Math.ceil(size / rows) * rows, seed, rows);
          const expected = await alone(made);
          for (const engine of engines) {
            expect(await engine.run(made.sweep, made.context)).toEqual(expected);
          }
        },
      ),
      { numRuns: 6, seed: 20261121 },
    );
    for (const engine of engines) await engine.close();
  });

  it.each(['f32', 'bf16', 'f8e5m2'] as const)(
    'takes pages of the base from the head where their digests say so (%s)',
    async (dtype) => {
      const elements = 3 * chunkElements + 2050;
      const { sweep, context } = make({ sA: dtype, sB: dtype }, elements, 11);
      const [base, head] = [sweep.streams.sA, sweep.streams.sB].map((stream) => {
        const { placement } = stream?.tensor ?? {};
        if (!stream || placement?.kind !== 'dense') throw new Error('placed otherwise');
        const { file, offset } = placement.pieces[0] as { file: string; offset: number };
        const path = join(folder, file);
        return { stream, path, bytes: readFileSync(path).subarray(offset), offset };
      }) as [Stored, Stored];
      const width = dtypeBits[dtype] / 8;
      // The second chunk changes in one byte, the others stand still.
      head.bytes.set(base.bytes);
      head.bytes[width * (chunkElements + 77)] =
        1 ^ (head.bytes[width * (chunkElements + 77)] ?? 0);
      writeFileSync(head.path, Buffer.concat([Buffer.alloc(head.offset), head.bytes]));
      const copies = [{ relation: 'equal' as const, left: 'sA' as const, right: 'sB' as const }];
      const read = { ...sweep, copies };
      const expected = await alone({ sweep: read, context });
      const digests = expected.summaries.sA?.digests as Uint32Array;
      // What is not read may be anything.
      const unread = Buffer.from(base.bytes);
      unread.fill(0xaa, 0, width * chunkElements).fill(0xaa, 2 * width * chunkElements);
      writeFileSync(base.path, Buffer.concat([Buffer.alloc(base.offset), unread]));
      const streams = {
        sA: { ...base.stream, origin: 'base' as const, digests },
        sB: head.stream,
      };
      const known = { ...read, streams, summaries: ['sB' as const] };
      const sources = { head: source, base: source };
      const recalled = { ...context, sources, checksums: { head: [], base: [] } };
      for (const threads of [1, 2]) {
        const found = await withEngine({ threads }, (engine) => engine.run(known, recalled));
        expect(found.copies).toEqual(expected.copies);
        expect(found.copies[0]?.different).toBe(1);
        expect(found.summaries.sB).toEqual(expected.summaries.sB);
        expect(found.bytesRecalled).toBe(width * (elements - chunkElements));
        expect(found.bytesRead).toBe(width * (elements + chunkElements));
      }
    },
  );

  it.each(['f64', 'i64', 'u32', 'bf16', 'f16', 'u16', 'i8', 'f8e5m2', 'f4e2m1', 'c64'] as const)(
    'summarises %s to the same bits',
    async (dtype) => {
      const made = make({ sB: dtype }, 2 * chunkElements + 2050, 7);
      const expected = await alone(made);
      const found = await withEngine({ threads: 2 }, (engine) =>
        engine.run(made.sweep, made.context),
      );
      expect(found).toEqual(expected);
      expect(found.bytesRead).toBe(expected.bytesRead);
    },
  );

  it('looks a second time where squares cancel, over all parts', async () => {
    const elements = 5 * chunkElements + 5;
    const made = make({ sB: 'f32' }, elements, 3);
    const values = Float32Array.from({ length: elements }, (_, i) => 1000 + (i % 7) * 1e-3);
    const { placement } = made.sweep.streams.sB?.tensor ?? {};
    if (placement?.kind !== 'dense') throw new Error('placed otherwise');
    writeFileSync(join(folder, placement.pieces[0]?.file ?? ''), new Uint8Array(values.buffer));
    const expected = await alone(made);
    expect(expected.summaries.sB?.centredSquares).not.toBeNull();
    const found = await withEngine({ threads: 2 }, (engine) =>
      engine.run(made.sweep, made.context),
    );
    expect(found).toEqual(expected);
  });

  it('keeps thousands of small tensors apart', async () => {
    const all = Array.from({ length: 150 }, (_, i) => make({ sB: 'f32' }, 1 + (i % 90), i));
    const runAll = (engine: Engine) =>
      Promise.all(
        Array.from({ length: 1500 }, (_, i) => all[i % all.length] as Made).map((made) =>
          engine.run(made.sweep, made.context),
        ),
      );
    const expected = await withEngine({ threads: 1 }, runAll);
    expect(await withEngine({ threads: 2 }, runAll)).toEqual(expected);
  });

  it('hashes a tensor that is read by one thread', async () => {
    const made = make({ sB: 'u8' }, 2 * chunkElements + 1, 5);
    const hashed = { ...made, sweep: { ...made.sweep, sha256: ['sB' as const] } };
    const expected = await alone(hashed);
    expect(expected.sha256.sB).toMatch(/^[0-9a-f]{64}$/);
    const found = await withEngine({ threads: 2 }, (engine) =>
      engine.run(hashed.sweep, hashed.context),
    );
    expect(found).toEqual(expected);
  });
});

describe('a thread that dies', () => {
  it('is replaced and its pages are swept again', async () => {
    const made = pair(6 * chunkElements + 100, 11, 4);
    const expected = await alone(made);
    let killed = 0;
    const start: typeof startThread = (setup) => {
      const worker = startThread(setup);
      if (killed < 2) {
        // The first message says that it is ready: killed as its first batch comes back.
        worker.once('message', () => {
          worker.once('message', () => {
            killed += 1;
            worker.terminate();
          });
        });
      }
      return worker;
    };
    const found = await withEngine({ threads: 2, start }, (engine) =>
      engine.run(made.sweep, made.context),
    );
    expect(killed).toBeGreaterThan(0);
    expect(found).toEqual(expected);
  });

  it('is not tried for ever: the third death over the same pages is an error', async () => {
    const deadly = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', () => process.exit(1));
      parentPort.postMessage({ id: -1, replies: [] });`;
    const start = () => new Worker(deadly, { eval: true });
    const made = pair(3 * chunkElements, 5, 4);
    // The caller's thread would do the work that others died over.
    const options = { threads: 2, polite: true, start };
    const run = withEngine(options, (engine) => engine.run(made.sweep, made.context));
    await expect(run).rejects.toMatchObject({ code: 'engine-unavailable' });
  });

  it('before it was ready is done without', async () => {
    const made = pair(3 * chunkElements, 5, 4);
    const start = () => new Worker('process.exit(1)', { eval: true });
    const found = await withEngine({ threads: 2, start }, (engine) =>
      engine.run(made.sweep, made.context),
    );
    expect(found).toEqual(await alone(made));
  });
});

describe('threads', () => {
  it('stop when they are told to, and work on afterwards', async () => {
    const made = pair(4 * chunkElements, 13, 4);
    const expected = await alone(made);
    await withEngine({ threads: 2 }, async (engine) => {
      const stop = new AbortController();
      const onBytes = () => stop.abort(new Error('enough'));
      const run = engine.run(made.sweep, { ...made.context, signal: stop.signal, onBytes });
      await expect(run).rejects.toThrow('enough');
      expect(await engine.run(made.sweep, made.context)).toEqual(expected);
    });
  });

  it('pass on what the storage says, and work on afterwards', async () => {
    const made = make({ sB: 'f32' }, 3 * chunkElements, 17);
    const short = make({ sB: 'f32' }, 3 * chunkElements, 18);
    const { placement } = short.sweep.streams.sB?.tensor ?? {};
    if (placement?.kind !== 'dense') throw new Error('placed otherwise');
    writeFileSync(join(folder, placement.pieces[0]?.file ?? ''), new Uint8Array(5000));
    await withEngine({ threads: 2 }, async (engine) => {
      await expect(engine.run(short.sweep, short.context)).rejects.toMatchObject({
        code: 'changed-while-reading',
      });
      expect(await engine.run(made.sweep, made.context)).toEqual(await alone(made));
    });
  });

  it('read past the page cache what they read through it, to the last byte', async () => {
    const made = make({ wA: 'f32', wB: 'u8', mB: 'f64' }, 2 * chunkElements + 333, 23);
    const found = await withEngine({ threads: 1, direct: true }, (engine) =>
      engine.run(made.sweep, made.context),
    );
    expect(found).toEqual(await alone(made));
  });

  it('keep to a rate of reading without changing what is found', async () => {
    const made = make({ sB: 'bf16' }, 2 * chunkElements, 19);
    const limits = { threads: 2, bytesPerSecond: 50_000_000, polite: true };
    const found = await withEngine(limits, (engine) => engine.run(made.sweep, made.context));
    expect(found).toEqual(await alone(made));
  });
});
