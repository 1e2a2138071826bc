/** Worker threads that run jobs in batches. A thread that dies is replaced and its batch done again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LaikaError } from '../../checkpoint/errors.ts';
import { packageRoot } from '../../package.ts';
import type { JobResult, PortableJob, Reply } from './job.ts';
import type { CompiledKernels } from './kernels.ts';

/** What a thread is started with. */
export interface ThreadSetup {
  readonly compiled: CompiledKernels;
  /** Runs at a low priority. */
  readonly polite: boolean;
  /** Reads past the page cache where the file system allows it. */
  readonly direct: boolean;
  /** Bytes that this thread may read a second. */
  readonly bytesPerSecond: number;
}

export interface ThreadBatch {
  readonly id: number;
  readonly jobs: readonly PortableJob[];
}

interface ThreadReply {
  readonly id: number;
  readonly replies: readonly Reply[];
}

/** A job that waits for its reply. */
export interface Errand {
  readonly job: PortableJob;
  readonly bytes: number;
  resolve(result: JobResult): void;
  reject(error: unknown): void;
  /** Threads that died with it. */
  deaths: number;
}

/** Starts a thread. Tests hand in their own to see what becomes of one that dies. */
export type StartThread = (setup: ThreadSetup) => Worker;

const threadPath = join(packageRoot, 'bin', 'thread.js');
const threadProgram = join(packageRoot, 'dist', 'thread.cjs');

/** Starts the thread that the package ships. */
export const startThread: StartThread = (setup) => new Worker(threadPath, { workerData: setup });

/** False in a copy of the sources that was never built. */
export function hasThreads(): boolean {
  return existsSync(threadProgram);
}

/** Batches that a thread holds: one to work on, one to start without waiting for a message. */
const batchesHeld = 2;

/** An errand that outlived this many threads is given up. */
const deathsMax = 3;

interface Thread {
  readonly worker: Worker;
  readonly batches: Map<number, readonly Errand[]>;
  isReady: boolean;
}

export interface PoolHost {
  readonly threads: number;
  readonly setup: ThreadSetup;
  readonly start: StartThread;
  /** A thread has room, or errands came back from one that died. */
  onChange(undone: readonly Errand[]): void;
}

export class ThreadPool {
  readonly #host: PoolHost;
  readonly #threads = new Set<Thread>();
  #batches = 0;
  #isClosed = false;
  /** Threads that died before they were ready: then this machine cannot start any. */
  #stillborn = 0;

  constructor(host: PoolHost) {
    this.#host = host;
  }

  /** Starts threads up to the number asked for; they are ready later. */
  start(): void {
    while (this.#threads.size < this.#host.threads && !this.isBroken) this.#start();
  }

  /** Threads do not start here. */
  get isBroken(): boolean {
    return this.#stillborn >= this.#host.threads;
  }

  /** Batches that could be sent now. */
  get room(): number {
    let room = 0;
    for (const { isReady, batches } of this.#threads) {
      if (isReady) room += batchesHeld - batches.size;
    }
    return room;
  }

  /** Sends a batch to the thread that has least to do. There must be room. */
  send(errands: readonly Errand[]): void {
    const ready = [...this.#threads].filter(({ isReady }) => isReady);
    const [thread] = ready.sort((a, b) => a.batches.size - b.batches.size);
    if (!thread) throw new Error('no thread is ready');
    const id = this.#batches++;
    thread.batches.set(id, errands);
    thread.worker.ref();
    thread.worker.postMessage({ id, jobs: errands.map(({ job }) => job) } satisfies ThreadBatch);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ends = [...this.#threads].map(({ worker }) => {
      // Of a thread without work the process would not wait for the end.
      worker.ref();
      return worker.terminate();
    });
    await Promise.all(ends);
  }

  #start(): void {
    const worker = this.#host.start(this.#host.setup);
    const thread: Thread = { worker, batches: new Map(), isReady: false };
    this.#threads.add(thread);
    worker.on('message', (reply: ThreadReply) => this.#take(thread, reply));
    // An error that nobody caught ends the thread: `exit` follows.
    worker.on('error', () => {});
    worker.on('exit', () => this.#bury(thread));
  }

  #take(thread: Thread, { id, replies }: ThreadReply): void {
    // `close` waits for the end of a thread that may just have become ready.
    if (this.#isClosed) return;
    thread.isReady = true;
    const errands = thread.batches.get(id) ?? [];
    thread.batches.delete(id);
    if (thread.batches.size === 0) thread.worker.unref();
    for (const [i, errand] of errands.entries()) answer(errand, replies[i] as Reply);
    this.#host.onChange([]);
  }

  #bury(thread: Thread): void {
    this.#threads.delete(thread);
    if (this.#isClosed) return;
    if (!thread.isReady) this.#stillborn += 1;
    const undone: Errand[] = [];
    for (const errand of [...thread.batches.values()].flat()) {
      errand.deaths += 1;
      if (errand.deaths < deathsMax) undone.push(errand);
      else errand.reject(givenUp(errand));
    }
    if (undone.length > 0) this.start();
    this.#host.onChange(undone);
  }
}

function answer(errand: Errand, reply: Reply): void {
  if (reply.ok) errand.resolve(reply.result);
  else if (reply.details) errand.reject(new LaikaError(reply.details));
  else errand.reject(new Error(`in a worker thread: ${reply.message}`));
}

function givenUp({ job, deaths }: Errand): LaikaError {
  const { first, count } = job.span;
  const [stream] = Object.values(job.sweep.streams);
  return new LaikaError({
    code: 'engine-unavailable',
    what: `${deaths} worker threads died one after the other over the same pages`,
    where: `${stream?.tensor.name ?? 'a tensor'}, elements ${first} to ${first + count}`,
    next: 'use --threads 1, and report it',
  });
}
