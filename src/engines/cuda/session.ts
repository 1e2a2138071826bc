/** One GPU in use: its context, module, streams and memory. Whatever it holds, `close` frees. */
import type { DType } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { valuesOf } from '../narrow-types.ts';
import { type CudaDriver, CudaError, outOfMemory } from './driver.ts';
import { memoryAt } from './foreign.ts';
import { groupThreads, type KernelName, type Parameter } from './kernels.ts';

/** Memory of this machine that the GPU reads and writes by itself. */
export interface Pinned {
  readonly address: bigint;
  readonly buffer: ArrayBuffer;
}

export interface Limits {
  /** Bytes of the GPU's memory that may be held, tables and counters included. */
  readonly memory: number;
}

/** Parameters of one launch, 8 bytes each: more than any kernel takes. */
const launchBytes = 1024;

/** Pinned room for what is fetched or sent outside a sweep's slots: all counters of 16-bit codes. */
const scratchBytes = 65_536 * 8;

const counterBytes = 65_536 * 4;

const nonBlocking = 1;
const withoutTiming = 2;

export class CudaSession {
  readonly driver: CudaDriver;
  readonly #ordinal: number;
  readonly #limit: number;
  readonly #functions = new Map<KernelName, bigint>();
  readonly #tables = new Map<DType, bigint>();
  readonly #counters = new Map<Operand, bigint>();
  /** Sizes of what was allocated on the GPU, by address. */
  readonly #device = new Map<bigint, number>();
  readonly #host = new Set<bigint>();
  readonly #events = new Set<bigint>();
  readonly #streams: bigint[] = [];
  #context = 0n;
  #module = 0n;
  #held = 0;
  #scratch: Pinned = { address: 0n, buffer: new ArrayBuffer(0) };
  #launch: Pinned = { address: 0n, buffer: new ArrayBuffer(0) };

  private constructor(driver: CudaDriver, ordinal: number, { memory }: Limits) {
    this.driver = driver;
    this.#ordinal = ordinal;
    this.#limit = memory;
  }

  /**
   * Takes a GPU: the first of a process takes about a second. @throws CudaError; nothing is held
   * then.
   */
  static async open(
    driver: CudaDriver,
    { ordinal, image, limits }: { ordinal: number; image: Uint8Array; limits: Limits },
  ): Promise<CudaSession> {
    const session = new CudaSession(driver, ordinal, limits);
    try {
      await session.#start(image);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  async #start(image: Uint8Array): Promise<void> {
    const { driver } = this;
    this.#context = driver.handle('retain', this.#ordinal);
    driver.call('setCurrent', this.#context);
    const left = new BigUint64Array(1);
    driver.call('memory', left, new BigUint64Array(1));
    if ((left[0] as bigint) < BigInt(this.#limit)) {
      throw new CudaError('the free memory of the GPU', outOfMemory);
    }
    this.#module = driver.handle('loadModule', image);
    const [least, greatest] = [new Int32Array(1), new Int32Array(1)];
    driver.call('priorities', least, greatest);
    // The lowest priority: a trainer on the same GPU goes first.
    for (let i = 0; i < 2; i++) {
      this.#streams.push(driver.handle('createStream', nonBlocking, least[0] as number));
    }
    this.#launch = await this.pin(launchBytes);
    this.#scratch = await this.pin(scratchBytes);
  }

  /** Copies to the GPU run here, beside kernels. */
  get copyStream(): bigint {
    return this.#streams[0] as bigint;
  }

  /** Kernels and copies from the GPU, in order. */
  get workStream(): bigint {
    return this.#streams[1] as bigint;
  }

  /** Bytes of the GPU's memory that may still be taken. */
  get room(): number {
    return this.#limit - this.#held;
  }

  /** Call before work that may follow somebody else's on this thread. */
  activate(): void {
    this.driver.call('setCurrent', this.#context);
  }

  /** @throws CudaError, also where the cap of `limits` is passed. */
  allocate(bytes: number): bigint {
    if (bytes > this.room) throw new CudaError('the cap of --gpu-mem', outOfMemory);
    const address = this.driver.handle('allocate', BigInt(bytes));
    this.#device.set(address, bytes);
    this.#held += bytes;
    return address;
  }

  free(address: bigint): void {
    this.#held -= this.#device.get(address) ?? 0;
    this.#device.delete(address);
    this.driver.call('free', address);
  }

  async pin(bytes: number): Promise<Pinned> {
    const address = this.driver.handle('allocateHost', BigInt(bytes), 0);
    this.#host.add(address);
    return { address, buffer: await memoryAt(address, bytes) };
  }

  unpin({ address }: Pinned): void {
    this.#host.delete(address);
    this.driver.call('freeHost', address);
  }

  createEvent(): bigint {
    const event = this.driver.handle('createEvent', withoutTiming);
    this.#events.add(event);
    return event;
  }

  destroyEvent(event: bigint): void {
    this.#events.delete(event);
    this.driver.call('destroyEvent', event);
  }

  /** Address of the float64 values of a type of at most 16 bits, by code. */
  table(dtype: DType): bigint {
    const known = this.#tables.get(dtype);
    if (known !== undefined) return known;
    const values = valuesOf(dtype);
    const address = this.allocate(values.byteLength);
    this.#tables.set(dtype, address);
    new Float64Array(this.#scratch.buffer).set(values);
    const bytes = BigInt(values.byteLength);
    this.driver.call('copyIn', address, this.#scratch.address, bytes, this.workStream);
    this.driver.call('synchronize', this.workStream);
    return address;
  }

  /** Address of 65,536 u32 that are 0; one place for each operand of a sweep. */
  counters(operand: Operand): bigint {
    const address = this.#counters.get(operand) ?? this.allocate(counterBytes);
    this.#counters.set(operand, address);
    // An abandoned sweep may have left counts.
    this.clear(address, counterBytes);
    return address;
  }

  /** Reads counters and clears them, after all that was started before. */
  takeCounters(address: bigint, count: number): Uint32Array {
    const bytes = BigInt(count * 4);
    this.driver.call('copyOut', this.#scratch.address, address, bytes, this.workStream);
    this.clear(address, count * 4);
    this.driver.call('synchronize', this.workStream);
    return new Uint32Array(this.#scratch.buffer, 0, count).slice();
  }

  clear(address: bigint, bytes: number): void {
    this.driver.call('fill', address, 0, BigInt(bytes), this.workStream);
  }

  /** Starts `groups` groups of a kernel behind what was started before; none of no groups. */
  launch(name: KernelName, groups: number, parameters: readonly Parameter[]): void {
    if (groups === 0) return;
    // The driver copies the parameters before it returns: one place serves every launch.
    const view = new DataView(this.#launch.buffer);
    view.setBigUint64(0, this.#launch.address + 8n, true);
    for (const [i, value] of parameters.entries()) {
      if (typeof value === 'bigint') view.setBigUint64(8 + 8 * i, value, true);
      else view.setFloat64(8 + 8 * i, value.real, true);
    }
    const shape = [groups, 1, 1, groupThreads, 1, 1, 0] as const;
    const handle = this.#function(name);
    this.driver.call('launch', handle, ...shape, this.workStream, this.#launch.address, 0n);
  }

  /** Waits for everything that was started; a fault is whoever's who started it. */
  settleQuietly(): void {
    for (const stream of this.#streams) this.driver.code('synchronize', stream);
  }

  /** Frees all. A context that a fault has poisoned refuses every call: the release alone counts. */
  close(): void {
    const { driver } = this;
    this.settleQuietly();
    for (const event of this.#events) driver.code('destroyEvent', event);
    for (const address of this.#device.keys()) driver.code('free', address);
    for (const address of this.#host) driver.code('freeHost', address);
    for (const stream of this.#streams) driver.code('destroyStream', stream);
    if (this.#module !== 0n) driver.code('unloadModule', this.#module);
    if (this.#context !== 0n) driver.code('release', this.#ordinal);
    this.#streams.length = 0;
    this.#events.clear();
    this.#device.clear();
    this.#host.clear();
    this.#tables.clear();
    this.#counters.clear();
    this.#functions.clear();
    this.#module = 0n;
    this.#context = 0n;
    this.#held = 0;
  }

  #function(name: KernelName): bigint {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const text = Buffer.from(`${name}\0`);
    const found = this.driver.handle('getFunction', this.#module, text);
    this.#functions.set(name, found);
    return found;
  }
}
