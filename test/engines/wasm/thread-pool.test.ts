/** Whom the process waits for: a thread that is being ended, whatever it still says. */
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { compileKernels } from '../../../src/engines/wasm/kernels.ts';
import { ThreadPool } from '../../../src/engines/wasm/thread-pool.ts';

/** What a pool sees of a worker, with the moment of its end in the hands of the test. */
class SlowWorker extends EventEmitter {
  isReferenced = true;

  ref(): void {
    this.isReferenced = true;
  }

  unref(): void {
    this.isReferenced = false;
  }

  terminate(): Promise<unknown> {
    return new Promise((resolve) => this.once('exit', resolve));
  }
}

async function poolOf(worker: SlowWorker): Promise<ThreadPool> {
  const compiled = await compileKernels();
  const setup = { compiled, polite: false, direct: false, bytesPerSecond: Infinity };
  const start = () => worker as unknown as Worker;
  const pool = new ThreadPool({ threads: 1, setup, start, onChange: () => {} });
  pool.start();
  return pool;
}

it('goes on waiting for a thread that becomes ready while it is ended', async () => {
  const worker = new SlowWorker();
  const pool = await poolOf(worker);
  const closed = pool.close();
  worker.emit('message', { id: -1, replies: [] });
  expect(worker.isReferenced).toBe(true);
  worker.emit('exit', 1);
  await closed;
});

it('does not wait for a thread that has nothing to do', async () => {
  const worker = new SlowWorker();
  const pool = await poolOf(worker);
  worker.emit('message', { id: -1, replies: [] });
  expect(worker.isReferenced).toBe(false);
  const closed = pool.close();
  expect(worker.isReferenced).toBe(true);
  worker.emit('exit', 0);
  await closed;
});
