/** An engine that runs in a process of its own: when that dies, Laika lives, and starts another. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { EngineProcess, ProcessEnded } from './engine-process.ts';

export interface ProcessOptions {
  readonly name: Engine['name'];
  /** The program that serves the engine. */
  readonly entry: string;
  /** What the program is told when it starts. */
  readonly args?: readonly string[];
}

/**
 * Starts the engine's process and waits until it can work.
 * @throws LaikaError `engine-unavailable`.
 */
export async function openProcessEngine(options: ProcessOptions): Promise<Engine> {
  const { process, device } = await start(options);
  return new ProcessEngine(options, { process, device });
}

interface Started {
  readonly process: EngineProcess;
  readonly device: string;
}

async function start({ name, entry, args = [] }: ProcessOptions): Promise<Started> {
  const process = new EngineProcess(entry, args);
  try {
    return { process, device: await process.ready() };
  } catch (error) {
    await process.end();
    if (error instanceof ProcessEnded) throw ended(name, error);
    throw error;
  }
}

function ended(name: Engine['name'], cause: ProcessEnded): LaikaError {
  return new LaikaError(
    {
      code: 'engine-unavailable',
      what: `The process of the ${name} engine ended`,
      where: `--engine ${name}`,
      why: cause.message,
      next: 'use --engine wasm',
    },
    { cause },
  );
}

class ProcessEngine implements Engine {
  readonly name: Engine['name'];
  readonly device: string;
  /** The next sweep lies in the process when the one before is done. */
  readonly inFlight = 8;
  readonly #options: ProcessOptions;
  /** The process that works, or the one that is being started after a death. */
  #process: Promise<EngineProcess>;
  #isClosed = false;
  #warning: string | null = null;

  constructor(options: ProcessOptions, { process, device }: Started) {
    this.name = options.name;
    this.device = device;
    this.#options = options;
    this.#process = Promise.resolve(process);
  }

  get warning(): string | null {
    return this.#warning;
  }

  /** A sweep whose process died is run once more in a new one. */
  async run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    try {
      return await (await this.#alive()).run(sweep, context);
    } catch (error) {
      if (!(error instanceof ProcessEnded) || this.#isClosed) throw error;
      this.#warning = `the process of the ${this.name} engine ended and was replaced (${error.message})`;
    }
    try {
      return await (await this.#alive()).run(sweep, context);
    } catch (error) {
      if (error instanceof ProcessEnded) throw ended(this.name, error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // One that could not be started again has ended already.
    const process = await this.#process.catch(() => null);
    await process?.end();
  }

  async #alive(): Promise<EngineProcess> {
    const process = this.#process;
    if (!(await process).isOver) return process;
    // Of several sweeps that find it dead the first starts the next one.
    if (process === this.#process) {
      this.#process = start(this.#options).then((started) => started.process);
    }
    return this.#process;
  }
}
