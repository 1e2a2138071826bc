/** Where jobs are run: in worker threads where there are some, else in this one, one at a time. */
import type { EngineContext } from '../engine.ts';
import { Pacer } from '../pacer.ts';
import { type Job, type JobResult, type PortableJob, runJob, sweepBytes } from './job.ts';
import type { Memory } from './sweep-pass.ts';
import { type Errand, type PoolHost, ThreadPool } from './thread-pool.ts';

/** A batch: small jobs share a message. */
const batchBytes = 8 * 1024 * 1024;
const batchJobs = 256;

/** A job with what this thread runs it with. */
interface Waiting extends Errand {
  readonly context: EngineContext;
  /** False: only this thread can read for it. */
  readonly isPortable: boolean;
}

export interface SchedulerOptions {
  readonly memory: Memory;
  readonly pool: Omit<PoolHost, 'onChange'> | null;
  readonly bytesPerSecond: number;
  /** Bytes in the queue from which on threads are started. */
  readonly threadedBytes: number;
  /** Leaves what threads can do to them, once they are worth starting. */
  readonly isPatient: boolean;
}

export class Scheduler {
  readonly #memory: Memory;
  readonly #pacer: Pacer;
  readonly #pool: ThreadPool | null;
  readonly #threadedBytes: number;
  readonly #isPatient: boolean;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #isStarted = false;
  #isBusy = false;
  #isDue = false;
  /** Resolves when the job that runs in this thread has left the memory. */
  #free: Promise<unknown> = Promise.resolve();

  constructor({ memory, pool, bytesPerSecond, ...rest }: SchedulerOptions) {
    this.#threadedBytes = rest.threadedBytes;
    this.#isPatient = rest.isPatient;
    this.#memory = memory;
    this.#pacer = new Pacer(bytesPerSecond);
    this.#pool = pool && new ThreadPool({ ...pool, onChange: (undone) => this.#change(undone) });
  }

  /** Runs a job; `extras` are what a thread needs for it, null where it must stay here. */
  run(
    job: Job,
    context: EngineContext,
    extras: Pick<PortableJob, 'files' | 'checksums'> | null,
  ): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const full = { files: [], checksums: context.checksums, ...extras, ...job };
      const bytes = sweepBytes(job.sweep, job.span.count);
      const isPortable = extras !== null;
      this.#queue.push({ job: full, context, isPortable, bytes, deaths: 0, resolve, reject });
      this.#queuedBytes += bytes;
      this.#schedule();
    });
  }

  /** Starts threads for work that is to come. */
  startThreads(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#pool?.start();
  }

  async close(): Promise<void> {
    await this.#free;
    await this.#pool?.close();
  }

  #change(undone: readonly Errand[]): void {
    for (const errand of undone) this.#queuedBytes += errand.bytes;
    this.#queue = [...(undone as Waiting[]), ...this.#queue];
    this.#schedule();
  }

  /** Jobs that come together are sent together. */
  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#dropStopped();
      this.#sendBatches();
      this.#runHere();
    });
  }

  #dropStopped(): void {
    const stopped = this.#queue.filter(({ context }) => context.signal?.aborted);
    if (stopped.length === 0) return;
    this.#queue = this.#queue.filter(({ context }) => !context.signal?.aborted);
    for (const { reject, context, bytes } of stopped) {
      this.#queuedBytes -= bytes;
      reject(context.signal?.reason);
    }
  }

  #sendBatches(): void {
    const pool = this.#pool;
    if (!pool) return;
    if (this.#queuedBytes >= this.#threadedBytes) this.startThreads();
    let room = pool.room;
    if (room === 0 || this.#queue.length === 0) return;
    const kept: Waiting[] = [];
    // This thread has its share of what is left.
    const shares = this.#isPatient ? room : room + 1;
    const most = Math.min(batchJobs, Math.ceil(this.#queue.length / shares));
    let batch: Waiting[] = [];
    let bytes = 0;
    for (const waiting of this.#queue) {
      if (room === 0 || !waiting.isPortable) {
        kept.push(waiting);
        continue;
      }
      batch.push(waiting);
      bytes += waiting.bytes;
      this.#queuedBytes -= waiting.bytes;
      if (batch.length < most && bytes < batchBytes) continue;
      pool.send(batch);
      room -= 1;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) pool.send(batch);
    this.#queue = kept;
  }

  /** Runs what threads cannot take, and a share of the rest unless this thread is to stay free. */
  #runHere(): void {
    if (this.#isBusy) return;
    const isLeft = this.#pool?.isBroken === false && this.#isPatient && this.#isStarted;
    let at = this.#queue.findIndex(({ isPortable }) => !isPortable);
    if (at < 0 && !isLeft) at = 0;
    const [waiting] = at < 0 ? [] : this.#queue.splice(at, 1);
    if (!waiting) return;
    this.#queuedBytes -= waiting.bytes;
    this.#isBusy = true;
    const { context } = waiting;
    const host = { memory: this.#memory, context, pacer: this.#pacer };
    this.#free = runJob(waiting.job, host)
      .then(waiting.resolve, waiting.reject)
      .finally(() => {
        this.#isBusy = false;
        this.#schedule();
      });
  }
}
