/** One process of an engine, from the side that started it. It may die at any time. */
import { type ChildProcess, fork } from 'node:child_process';
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Source } from '../../sources/source.ts';
import { coveredChecksum } from '../covered-checksum.ts';
import type { EngineContext, Stream, Sweep, SweepResult } from '../engine.ts';
import type { Failure, ReadAnswer, Report, Request } from './messages.ts';

/** The process died, or said that it cannot go on; a new one may do better. */
export class ProcessEnded extends Error {}

/** How long loading a library may take on a machine that is busy. */
const startLimitMs = 120_000;

/** What it last said is kept for the message when it dies. */
const keptStderr = 4096;

interface Run {
  readonly context: EngineContext;
  readonly resolve: (result: SweepResult) => void;
  readonly reject: (reason: unknown) => void;
  /** What the storage said when the process asked for bytes. */
  storageError: { readonly error: unknown } | null;
}

const sourceNumbers = new WeakMap<Source, number>();
let sourcesSeen = 0;

function numberOf(source: Source): number {
  const known = sourceNumbers.get(source);
  if (known !== undefined) return known;
  sourcesSeen += 1;
  sourceNumbers.set(source, sourcesSeen);
  return sourcesSeen;
}

/** Of thousands of checksums only those that this sweep can compute travel. */
function checksumsFor(sweep: Sweep, { checksums }: EngineContext): EngineContext['checksums'] {
  const covered = (origin: 'base' | 'head') =>
    Object.values(sweep.streams).flatMap((stream: Stream) => {
      if (stream.origin !== origin) return [];
      return coveredChecksum(stream.tensor, checksums[origin]) ?? [];
    });
  return { head: covered('head'), base: covered('base') };
}

export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #runs = new Map<number, Run>();
  #started = 0;
  #said = '';
  #isOver = false;
  readonly #closed: Promise<unknown>;
  #onReady: ((device: string) => void) | null = null;
  #onFailed: ((reason: unknown) => void) | null = null;

  /** `entry`: the program, which serves an engine. */
  constructor(entry: string, args: readonly string[]) {
    this.#child = fork(entry, args, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-keptStderr);
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.on('message', (report) => this.#take(report as Report));
    this.#child.on('error', (error) => this.#end(error.message));
    // `close` comes after the last of what it said; `exit` may come before.
    this.#child.on('close', (code, signal) => {
      const last = this.#said.trim().split('\n').at(-1);
      this.#end(`${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}`);
    });
  }

  /**
   * The device, once the engine is there.
   * @throws LaikaError `engine-unavailable` as the engine says; ProcessEnded.
   */
  ready(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new ProcessEnded('it did not start in two minutes'));
        this.#child.kill('SIGKILL');
      }, startLimitMs);
      const settle = <T>(then: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.#onReady = settle(resolve);
      this.#onFailed = settle(reject);
    });
  }

  /** It takes no more sweeps. */
  get isOver(): boolean {
    return this.#isOver;
  }

  run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const { signal, sources } = context;
    this.#started += 1;
    const run = this.#started;
    const stop = () => this.#send({ type: 'abort', run });
    const result = new Promise<SweepResult>((resolve, reject) => {
      if (this.#isOver) throw new ProcessEnded('it has ended');
      signal?.throwIfAborted();
      this.#runs.set(run, { context, resolve, reject, storageError: null });
      signal?.addEventListener('abort', stop, { once: true });
      this.#send({
        type: 'run',
        run,
        sweep,
        sources: {
          head: numberOf(sources.head),
          base: sources.base ? numberOf(sources.base) : null,
        },
        checksums: checksumsFor(sweep, context),
      });
    });
    return result.finally(() => signal?.removeEventListener('abort', stop));
  }

  /** Ends the process; what it still runs fails. */
  async end(): Promise<void> {
    // A program that could not be started closes nothing.
    if (this.#child.pid === undefined) return;
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  #send(request: Request): void {
    if (!this.#child.connected) return;
    // A channel that breaks under a message is reported by `close` as well.
    this.#child.send(request, () => {});
  }

  #take(report: Report): void {
    if (report.type === 'ready') this.#onReady?.(report.device);
    else if (report.type === 'unavailable') this.#onFailed?.(new LaikaError(report.details));
    else if (report.type === 'read') void this.#answer(report);
    else this.#takeOfRun(report);
  }

  #takeOfRun(report: Extract<Report, { type: 'progress' | 'done' | 'failed' }>): void {
    const run = this.#runs.get(report.run);
    if (!run) return;
    if (report.type === 'progress') {
      run.context.onBytes?.(report.bytes);
      return;
    }
    this.#runs.delete(report.run);
    if (report.type === 'done') run.resolve(report.result);
    else run.reject(this.#reasonOf(report.failure, run));
  }

  #reasonOf(failure: Failure, { context, storageError }: Run): unknown {
    if (failure.kind === 'input') return new LaikaError(failure.details);
    if (failure.kind === 'engine') {
      this.#isOver = true;
      this.#child.kill('SIGKILL');
      return new ProcessEnded(failure.message);
    }
    return storageError ? storageError.error : context.signal?.reason;
  }

  async #answer(read: Extract<Report, { type: 'read' }>): Promise<void> {
    const run = this.#runs.get(read.run);
    const source = run?.context.sources[read.origin];
    let answer: ReadAnswer = { kind: 'failed' };
    try {
      if (source) answer = await answerOf(source, read);
    } catch (error) {
      if (run) run.storageError ??= { error };
    }
    this.#send({ type: 'answer', ask: read.ask, answer });
  }

  #end(why: string): void {
    this.#isOver = true;
    const ended = new ProcessEnded(why);
    this.#onFailed?.(ended);
    for (const { reject } of this.#runs.values()) reject(ended);
    this.#runs.clear();
  }
}

async function answerOf(
  source: Source,
  { file, offset, length }: Extract<Report, { type: 'read' }>,
): Promise<ReadAnswer> {
  const path = source.localPath(file);
  if (path !== null) return { kind: 'path', path };
  const bytes = new Uint8Array(length);
  await source.read(file, offset, bytes);
  return { kind: 'bytes', bytes };
}
