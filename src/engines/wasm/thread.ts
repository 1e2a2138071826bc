/** A worker thread: sweeps the parts that it is sent in a memory of its own, and reads by itself. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { isLaikaError } from '../../checkpoint/errors.ts';
import { LocalFiles } from '../../sources/local-files.ts';
import type { EngineContext } from '../engine.ts';
import { Pacer } from '../pacer.ts';
import { type PortableJob, type Reply, runJob } from './job.ts';
import { loadKernels } from './kernels.ts';
import { type Memory, prepareMemory } from './sweep-pass.ts';
import type { ThreadBatch, ThreadSetup } from './thread-pool.ts';
import { Views } from './views.ts';

/** Niceness of a thread that must not take time from a trainer. */
const politeNiceness = 10;

/** The sources of one batch, from the paths that its jobs name. */
function sourcesOf(
  jobs: readonly PortableJob[],
  direct: boolean,
): { head: LocalFiles; base: LocalFiles } {
  const paths = { head: new Map<string, string>(), base: new Map<string, string>() };
  for (const { files } of jobs) {
    for (const [origin, file, path] of files) paths[origin].set(file, path);
  }
  return { head: new LocalFiles(paths.head, direct), base: new LocalFiles(paths.base, direct) };
}

async function replyTo(
  job: PortableJob,
  host: { memory: Memory; pacer: Pacer; sources: EngineContext['sources'] },
): Promise<Reply> {
  try {
    const { memory, pacer, sources } = host;
    const context = { sources, checksums: job.checksums };
    return { ok: true, result: await runJob(job, { memory, pacer, context }) };
  } catch (error) {
    const details = isLaikaError(error) ? error.details : null;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ok: false, details, message };
  }
}

/** Answers the messages of the thread that started this one. */
export async function main(port = parentPort): Promise<void> {
  if (!port) throw new Error('this is not a worker thread');
  const { compiled, polite, direct, bytesPerSecond } = workerData as ThreadSetup;
  if (polite) setPriority(politeNiceness);
  const { kernels, buffer } = await loadKernels(compiled);
  const memory = { kernels, views: new Views(buffer) };
  prepareMemory(memory);
  const pacer = new Pacer(bytesPerSecond);
  const sweep = async ({ id, jobs }: ThreadBatch) => {
    const sources = sourcesOf(jobs, direct);
    const replies: Reply[] = [];
    for (const job of jobs) replies.push(await replyTo(job, { memory, pacer, sources }));
    // Opening again costs little beside a part, and a deleted checkpoint is not held.
    await sources.head.close();
    await sources.base.close();
    port.postMessage({ id, replies });
  };
  // One batch at a time has the memory.
  let free: Promise<void> = Promise.resolve();
  port.on('message', (batch: ThreadBatch) => {
    free = free.then(() => sweep(batch));
  });
  port.postMessage({ id: -1, replies: [] });
}
