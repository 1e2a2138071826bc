/**
 * Files in memory, end to end: the engine against the copy to the GPU alone, against reading alone,
 * and against wasm; and from which size on a GPU is worth it.
 *
 *   npm run bench:cuda -- files
 *   npm run bench:cuda -- crossover
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CudaSession } from '../../src/engines/cuda/session.ts';
import type {
  Engine,
  EngineContext,
  Stream,
  Sweep,
  SweepResult,
} from '../../src/engines/engine.ts';
import { usableProcessors } from '../../src/engines/usable-processors.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import type { Operand } from '../../src/laws/law.ts';
import { chunkElements } from '../../src/records/grid.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { weights } from './data.ts';
import { type BenchGpu, bestTime, rate, type Settings } from './gpu.ts';

const fileName = 'laika-bench-cuda.bin';

function makeFile(path: string, elements: number): void {
  const file = openSync(path, 'w');
  const chunk = new Uint8Array(weights(7, true).buffer);
  for (let first = 0; first < elements; first += chunkElements) {
    writeSync(file, chunk, 0, 4 * Math.min(chunkElements, elements - first));
  }
  closeSync(file);
}

function streamOf(operand: Operand, elements: number): Stream {
  const placement = { kind: 'dense', pieces: [{ file: fileName, offset: 0, elements }] } as const;
  const names = { name: operand, role: 'other', parameter: null, mapping: null } as const;
  return {
    origin: 'head',
    tensor: {
      ...{ ...names, aliasOf: null, file: fileName, dtype: 'f32' },
      ...{ shape: [elements], elements, placement },
    },
  };
}

function sweepOf(operands: readonly Operand[], elements: number): Sweep {
  const streams: Partial<Record<Operand, Stream>> = {};
  for (const operand of operands) streams[operand] = streamOf(operand, elements);
  const isPair = operands.length > 1;
  const decay = { inherited: 0.9, drift: 0, widened: 1 };
  return {
    ...{ elements, streams, summaries: operands.filter((each) => each.endsWith('B')) },
    laws: isPair ? [{ law: 'second-moment-decay', constants: decay }] : [],
    ...{ copies: [], sha256: [] },
    ...(isPair ? { movement: { rows: 0, inherited: 0.9 } } : {}),
  };
}

const pair: readonly Operand[] = ['wA', 'wB', 'mA', 'mB', 'vA', 'vB'];

async function verified(found: Promise<SweepResult>, expected: SweepResult): Promise<void> {
  if (!isDeepStrictEqual(await found, expected)) throw new Error('the engines differ');
}

/** Reading into pinned memory, chunk by chunk, and nothing else. */
function readAlone(path: string, bytes: number, into: ArrayBuffer): void {
  const file = openSync(path, 'r');
  const buffer = new Uint8Array(into, 0, 4 * chunkElements);
  for (let at = 0; at < bytes; at += buffer.length) readSync(file, buffer, 0, buffer.length, at);
  closeSync(file);
}

/** Copying from pinned memory, chunk by chunk, and nothing else. */
function copyAlone(session: CudaSession, bytes: number, at: { here: bigint; there: bigint }): void {
  const piece = BigInt(4 * chunkElements);
  for (let done = 0; done < bytes; done += 4 * chunkElements) {
    session.driver.call('copyIn', at.there, at.here, piece, session.copyStream);
  }
  session.settleQuietly();
}

interface Bench {
  readonly context: EngineContext;
  readonly path: string;
  readonly elements: number;
}

async function withFile<T>(settings: Settings, work: (bench: Bench) => Promise<T>): Promise<T> {
  const path = join(settings.folder, fileName);
  const elements = Math.floor(settings.bytes / 4);
  makeFile(path, elements);
  try {
    const head = await openLocalSource(settings.folder);
    const context = { sources: { head, base: null }, checksums: { head: [], base: [] } };
    return await work({ context, path, elements });
  } finally {
    rmSync(path);
  }
}

/** Lines of a table. */
export function fileRates(gpu: BenchGpu, settings: Settings): Promise<string[]> {
  return withFile(settings, async ({ context, path, elements }) => {
    const bytes = 4 * elements;
    const session = await gpu.openSession();
    const pinned = await session.pin(4 * chunkElements);
    const there = session.allocate(4 * chunkElements);
    const lines = [`${(bytes / 2 ** 20).toFixed(0)} MiB in ${settings.folder}; GB/s`];
    const add = (what: string, size: number, time: number) =>
      lines.push(`  ${what.padEnd(44)} ${rate(size, time).padStart(7)}`);
    add('reading alone', bytes, await bestTime(() => readAlone(path, bytes, pinned.buffer)));
    const copy = () => copyAlone(session, bytes, { here: pinned.address, there });
    add('copying to the GPU alone', bytes, await bestTime(copy));
    session.close();
    for (const operands of [['sB'], pair] as const) {
      const sweep = sweepOf(operands, elements);
      const size = operands.length * bytes;
      const what = operands.length === 1 ? 'summary' : 'pair of six streams';
      const wasm = await openWasmEngine();
      await verified(gpu.engine.run(sweep, context), await wasm.run(sweep, context));
      await wasm.close();
      add(`${what}, cuda`, size, await bestTime(() => gpu.engine.run(sweep, context)));
      for (let threads = 1; threads <= usableProcessors(); threads *= 2) {
        const engine = await openWasmEngine({ threads });
        const time = await bestTime(() => engine.run(sweep, context));
        add(`${what}, wasm with ${threads} threads`, size, time);
        await engine.close();
      }
    }
    return lines;
  });
}

/** Milliseconds of a summary, by size and engine. */
export function crossover(gpu: BenchGpu, settings: Settings): Promise<string[]> {
  return withFile(settings, async ({ context, elements }) => {
    const one = await openWasmEngine();
    const all = await openWasmEngine({ threads: usableProcessors() });
    const engines: readonly (readonly [string, Engine])[] = [
      ['cuda', gpu.engine],
      ['wasm, 1 thread', one],
      [`wasm, ${usableProcessors()} threads`, all],
    ];
    const lines = [`ms of one summary: KiB ${engines.map(([name]) => name).join(' | ')}`];
    for (let size = 4096; size <= elements; size *= 4) {
      const sweep = sweepOf(['sB'], size);
      await verified(gpu.engine.run(sweep, context), await one.run(sweep, context));
      const times: string[] = [];
      for (const [, engine] of engines) {
        times.push((await bestTime(() => engine.run(sweep, context))).toFixed(3).padStart(9));
      }
      lines.push(`  ${String(size / 256).padStart(9)} ${times.join(' ')}`);
    }
    await one.close();
    await all.close();
    return lines;
  });
}
