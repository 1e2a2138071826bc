/** Gives the rest of the process its turn while an engine computes. */
import { setImmediate } from 'node:timers/promises';

/** About 2 to 5 ms of work: a ping is answered in time, and the pauses cost nothing. */
const turnBytes = 16 * 1024 * 1024;

/** What one read costs besides its bytes, in bytes that could have been swept instead. */
const callBytes = 64 * 1024;

/** One an engine: many small sweeps count like one large one. */
export class Pacer {
  #spent = 0;

  /** Call after reading `bytes`; resolves after the event loop's turn when one is due. */
  async pause(bytes: number): Promise<void> {
    this.#spent += bytes + callBytes;
    if (this.#spent < turnBytes) return;
    this.#spent = 0;
    await setImmediate();
  }
}
