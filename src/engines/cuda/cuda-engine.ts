/** The CUDA engine: sweeps on one GPU, and on wasm what a GPU cannot do or has failed to do. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { Pacer } from '../pacer.ts';
import { selfTest } from '../self-test.ts';
import { CudaSweep } from './cuda-sweep.ts';
import type { GpuDevice } from './devices.ts';
import { type CudaDriver, CudaError, isHardwareError, isOutOfMemory } from './driver.ts';
import { readImage } from './kernels.ts';
import { Ring } from './ring.ts';
import { CudaSession } from './session.ts';
import { isSummarised } from './summary-pass.ts';

export interface CudaEngineOptions {
  /** Bytes of the GPU's memory that may be held. */
  readonly memory: number;
  /** Bytes to read a second at most. */
  readonly bytesPerSecond: number;
  /** Sweeps of fewer elements stay on wasm: starting kernels takes longer. */
  readonly leastElements: number;
  /** Milliseconds without a sweep after which the GPU is given back. */
  readonly idleMs: number;
  /** Opened when it is first needed. */
  readonly fallback: () => Promise<Engine>;
}

export interface Gpu {
  readonly driver: CudaDriver;
  readonly device: GpuDevice;
}

/** Elements of the check that every GPU must pass before it is believed: a few blocks and a rest. */
const checkElements = 5 * 1024 + 77;

/**
 * Bytes of a GPU's memory without which no check can run: two tables of 16-bit values, three sets of
 * counters, and one slot.
 */
export const leastMemory = 4 * 1024 * 1024;

interface Open {
  readonly session: CudaSession;
  readonly ring: Ring;
}

export class CudaEngine implements Engine {
  readonly name = 'cuda';
  readonly #gpu: Gpu;
  readonly #options: CudaEngineOptions;
  readonly #pacer: Pacer;
  #open: Open | null = null;
  #fallback: Promise<Engine> | null = null;
  #idle: NodeJS.Timeout | null = null;
  /** What ended the use of the GPU in this process; a poisoned context is never tried again. */
  #fault: CudaError | null = null;
  #onWasm = 0;
  #inTest = false;
  /** Resolves when the sweep before has left the slots. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(gpu: Gpu, options: CudaEngineOptions) {
    this.#gpu = gpu;
    this.#options = options;
    this.#pacer = new Pacer(options.bytesPerSecond);
  }

  get device(): string {
    const { name, uuid } = this.#gpu.device;
    const gpu = `${name} (${uuid.slice(0, 8)})`;
    if (!this.#fault) return gpu;
    return `${gpu}, which failed (${this.#fault.message}): ${this.#onWasm} sweeps ran on wasm`;
  }

  /** What a fault of the GPU says about the machine; null while there is none. */
  get warning(): string | null {
    if (!this.#fault) return null;
    const { name, uuid } = this.#gpu.device;
    const hardware = isHardwareError(this.#fault)
      ? '; if it trains this run, its memory is a suspect: look at its ECC counters'
      : '';
    return (
      `the GPU ${name} (${uuid}) failed: ${this.#fault.message}; what it had begun was read again ` +
      `and computed on wasm${hardware}`
    );
  }

  /**
   * Takes the GPU and compares it with the reference engine on a few blocks.
   * @throws LaikaError `engine-unavailable`.
   */
  async check(): Promise<void> {
    this.#inTest = true;
    try {
      const { ok, detail } = await selfTest(this, checkElements);
      if (!ok) throw unavailable(`The GPU computes wrongly (${detail})`);
    } catch (error) {
      await this.close();
      if (!(error instanceof CudaError)) throw error;
      throw unavailable(`The GPU cannot be used (${error.message})`);
    } finally {
      this.#inTest = false;
    }
  }

  /** One sweep at a time has the GPU; further ones wait. */
  run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const result = this.#free.then(() => this.#run(sweep, context));
    this.#free = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#free;
    this.#giveBack();
    await (await this.#fallback)?.close();
  }

  async #run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    if (this.#inTest) return this.#sweepOnGpu(sweep, context);
    const known = Object.values(sweep.streams).every(({ tensor }) => isSummarised(tensor.dtype));
    const small = sweep.elements < this.#options.leastElements;
    if (this.#fault || small || !known) return this.#runOnWasm(sweep, context);
    try {
      return await this.#sweepOnGpu(sweep, context);
    } catch (error) {
      if (!(error instanceof CudaError)) throw error;
      // A want of memory passes; the next sweep may be smaller or the neighbour gone.
      if (!isOutOfMemory(error)) this.#fault = error;
      this.#giveBack();
      return this.#runOnWasm(sweep, context);
    }
  }

  async #sweepOnGpu(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    if (this.#idle) clearTimeout(this.#idle);
    this.#open ??= await this.#take();
    const host = { ...this.#open, pacer: this.#pacer };
    host.session.activate();
    const placed = host.ring.giveWay(() => new CudaSweep(sweep, context, host));
    const result = await placed.run();
    this.#idle = setTimeout(() => this.#giveBack(), this.#options.idleMs);
    this.#idle.unref();
    return result;
  }

  async #runOnWasm(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    if (this.#fault) this.#onWasm += 1;
    this.#fallback ??= this.#options.fallback();
    return (await this.#fallback).run(sweep, context);
  }

  async #take(): Promise<Open> {
    const { driver, device } = this.#gpu;
    const session = await CudaSession.open(driver, {
      ordinal: device.ordinal,
      image: readImage(),
      limits: { memory: this.#options.memory },
    });
    return { session, ring: new Ring(session) };
  }

  #giveBack(): void {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    this.#open?.session.close();
    this.#open = null;
  }
}

function unavailable(what: string): LaikaError {
  return new LaikaError({
    code: 'engine-unavailable',
    what,
    where: '--engine cuda',
    next: 'laika doctor, or --engine wasm',
  });
}
