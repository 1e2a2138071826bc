/** Slots that chunks go round in: while the GPU works on one, files are read into the next. */
import { CudaError, isOutOfMemory, outOfMemory } from './driver.ts';
import type { CudaSession, Pinned } from './session.ts';

/** Room for one chunk of all streams and for what comes back from it. */
export interface Slot {
  readonly input: Pinned;
  readonly output: Pinned;
  /** The same on the GPU. */
  readonly deviceInput: bigint;
  readonly deviceOutput: bigint;
  /** Recorded behind the copies to the GPU, and behind the copy back. */
  readonly copied: bigint;
  readonly done: bigint;
}

export interface SlotSize {
  readonly input: number;
  readonly output: number;
}

/** One is read into, one copied, one computed, one taken. */
const mostSlots = 4;

/** Sizes are rounded up to this, so that tensors of many sizes use the same slots. */
const granule = 1024 * 1024;

function roundUp(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / granule)) * granule;
}

export class Ring {
  readonly #session: CudaSession;
  #slots: Slot[] = [];
  #size: SlotSize = { input: 0, output: 0 };

  constructor(session: CudaSession) {
    this.#session = session;
  }

  /**
   * Slots of at least this size, four where the memory allows; call while no slot is in use.
   * @throws CudaError where there is no room for one.
   */
  async slots({ input, output }: SlotSize): Promise<readonly Slot[]> {
    if (input <= this.#size.input && output <= this.#size.output && this.#slots.length > 0) {
      return this.#slots;
    }
    this.#free();
    const size = {
      input: Math.max(this.#size.input, roundUp(input)),
      output: Math.max(this.#size.output, roundUp(output)),
    };
    const affordable = Math.floor(this.#session.room / (size.input + size.output));
    if (affordable === 0) throw new CudaError('the cap of --gpu-mem', outOfMemory);
    let count = Math.min(mostSlots, affordable);
    while (!(await this.#fill(count, size))) count = Math.floor(count / 2);
    this.#size = size;
    return this.#slots;
  }

  /**
   * What `take` takes of the GPU's memory comes before slots: where there is no room, those of the
   * sweep before give way. Call while no slot is in use. @throws what `take` throws without slots.
   */
  giveWay<T>(take: () => T): T {
    try {
      return take();
    } catch (error) {
      if (!isOutOfMemory(error) || this.#slots.length === 0) throw error;
      this.#free();
      return take();
    }
  }

  /** False: try with fewer. */
  async #fill(count: number, size: SlotSize): Promise<boolean> {
    try {
      while (this.#slots.length < count) this.#slots.push(await this.#create(size));
      return true;
    } catch (error) {
      if (!isOutOfMemory(error) || count === 1) throw error;
      this.#free();
      return false;
    }
  }

  async #create({ input, output }: SlotSize): Promise<Slot> {
    const session = this.#session;
    const deviceInput = session.allocate(input);
    try {
      const deviceOutput = session.allocate(output);
      return {
        input: await session.pin(input),
        output: await session.pin(output),
        deviceInput,
        deviceOutput,
        copied: session.createEvent(),
        done: session.createEvent(),
      };
    } catch (error) {
      session.free(deviceInput);
      throw error;
    }
  }

  #free(): void {
    for (const slot of this.#slots) {
      this.#session.free(slot.deviceInput);
      this.#session.free(slot.deviceOutput);
      this.#session.unpin(slot.input);
      this.#session.unpin(slot.output);
      this.#session.destroyEvent(slot.copied);
      this.#session.destroyEvent(slot.done);
    }
    this.#slots = [];
  }
}
