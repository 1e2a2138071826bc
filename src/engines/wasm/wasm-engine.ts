/**
 * The default engine: WebAssembly kernels with SIMD over chunks that lie side by side in one
 * memory; large sweeps are cut into parts for worker threads.
 */
import { PageSums } from '../../records/grid-sum.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { type JobResult, portable, spansOf, withinSpan } from './job.ts';
import { joinParts, type SquaresAbout } from './join-parts.ts';
import { compileKernels, loadKernels } from './kernels.ts';
import { Scheduler } from './scheduler.ts';
import type { SweepPart } from './sweep-part.ts';
import { prepareMemory } from './sweep-pass.ts';
import { hasThreads, type StartThread, startThread } from './thread-pool.ts';
import { Views } from './views.ts';

export interface WasmOptions {
  /** Threads for large work, the caller's among them; 1 (the default) is the caller's alone. */
  readonly threads?: number;
  /** Bytes to read a second at most, all threads together. */
  readonly bytesPerSecond?: number;
  /**
   * Leave the caller's thread free, in addition to `threads`, and run at a low priority: a trainer
   * works beside.
   */
  readonly polite?: boolean;
  /** Read past the page cache where the file system allows it: a trainer keeps what it has there. */
  readonly direct?: boolean;
  /** Bytes that will come: where they are worth it, threads start before the first is read. */
  readonly expectedBytes?: number;
  /** Bytes of one part of a sweep, and bytes that are worth starting threads; for tests. */
  readonly partBytes?: number;
  readonly threadedBytes?: number;
  /** How a thread is started, for tests. */
  readonly start?: StartThread;
}

/** Sweeps that may wait at the engine: enough that small ones share messages. */
const sweepsInFlight = 512;

/** Starting threads takes as long as 64 MiB of work. */
const usualThreadedBytes = 64 * 1024 * 1024;

/**
 * Bytes of a part where it is known that `bytes` will come. It is some milliseconds of work, and what
 * it costs besides its bytes is small; larger ones cost less, as long as all threads end together.
 */
function partBytesOf(bytes: number, threads: number): number {
  const mib = 1024 * 1024;
  return Math.min(Math.max(bytes / (32 * threads), 16 * mib), 64 * mib);
}

/** Opens the WebAssembly engine. @throws LaikaError `engine-unavailable`. */
export async function openWasmEngine(options: WasmOptions = {}): Promise<Engine> {
  const { threads = 1, bytesPerSecond = Infinity, polite = false, direct = false } = options;
  const compiled = await compileKernels();
  const { kernels, buffer } = await loadKernels(compiled);
  const memory = { kernels, views: new Views(buffer) };
  prepareMemory(memory);
  const isThreaded =
    (threads > 1 || polite || direct) && (options.start !== undefined || hasThreads());
  const setup = { compiled, polite, direct, bytesPerSecond: bytesPerSecond / threads };
  // A rate is shared by threads of one kind: this one stays out of it.
  const isPatient = polite || direct || Number.isFinite(bytesPerSecond);
  const workers = isPatient ? threads : threads - 1;
  const pool = isThreaded ? { threads: workers, setup, start: options.start ?? startThread } : null;
  const { threadedBytes = direct ? 1 : usualThreadedBytes, expectedBytes = 0 } = options;
  const { partBytes = partBytesOf(expectedBytes, threads) } = options;
  const about = { memory, pool, bytesPerSecond, threadedBytes, isPatient };
  const scheduler = new Scheduler(about);
  if (expectedBytes >= threadedBytes) scheduler.startThreads();
  return new WasmEngine(scheduler, { threads: isThreaded ? threads : 1, isThreaded, partBytes });
}

class WasmEngine implements Engine {
  readonly name = 'wasm';
  readonly device: string;
  readonly threads: number;
  readonly inFlight = sweepsInFlight;
  readonly recalls = true;
  readonly #scheduler: Scheduler;
  readonly #isThreaded: boolean;
  readonly #partBytes: number;

  constructor(
    scheduler: Scheduler,
    about: { readonly threads: number; readonly isThreaded: boolean; readonly partBytes: number },
  ) {
    this.#partBytes = about.partBytes;
    this.threads = about.threads;
    this.device = `${this.threads} ${this.threads === 1 ? 'thread' : 'threads'}, SIMD`;
    this.#scheduler = scheduler;
    this.#isThreaded = about.isThreaded;
  }

  async run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    context.signal?.throwIfAborted();
    const extras = this.#isThreaded && !context.onChunk ? portable(sweep, context) : null;
    if (!extras) {
      const job = { sweep, span: { first: 0, count: sweep.elements } };
      return wholeOf(await this.#scheduler.run(job, context, null));
    }
    let bytesRead = 0;
    const { onBytes: _, ...quiet } = context;
    const spans = spansOf(sweep, this.#partBytes);
    const runAll = (squares?: SquaresAbout): Promise<JobResult[]> =>
      Promise.all(
        spans.map(async (span) => {
          const part = spans.length > 1 ? withinSpan(sweep, span) : sweep;
          const job = { sweep: part, span, ...(squares ? { squares } : {}) };
          const result = await this.#scheduler.run(job, quiet, extras);
          bytesRead += bytesOf(result);
          context.onBytes?.(bytesRead);
          return result;
        }),
      );
    const results = await runAll();
    if (results.length === 1) return wholeOf(results[0] as JobResult);
    return joinParts(sweep, results.map(partOf), async (about) => {
      const before = bytesRead;
      const sum = sumOf(await runAll(about));
      return { sum, bytesRead: bytesRead - before };
    });
  }

  async close(): Promise<void> {
    await this.#scheduler.close();
  }
}

function wholeOf(result: JobResult): SweepResult {
  if (result.kind !== 'whole') throw new Error(`a whole sweep gave ${result.kind}`);
  return result.result;
}

function partOf(result: JobResult): SweepPart {
  if (result.kind !== 'part') throw new Error(`a part of a sweep gave ${result.kind}`);
  return result.part;
}

function bytesOf(result: JobResult): number {
  switch (result.kind) {
    case 'whole':
      return result.result.bytesRead;
    case 'part':
      return result.part.bytesRead;
    case 'squares':
      return result.bytesRead;
  }
}

function sumOf(results: readonly JobResult[]): number {
  const sums = new PageSums();
  for (const result of results) {
    if (result.kind === 'squares') for (const square of result.squares) sums.add(square);
  }
  return sums.total();
}
