/** Gives the rest of the process its turn while an engine computes, and keeps to a rate of reading. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Eventually } from '../sources/source.ts';

/** About 2 to 5 ms of work: a ping is answered in time, and the pauses cost nothing. */
const turnBytes = 16 * 1024 * 1024;

/** What one read costs besides its bytes, in bytes that could have been swept instead. */
const callBytes = 64 * 1024;

/** Waiting is worth a timer from here on, in milliseconds. */
const leastWait = 2;

/** One a thread: many small sweeps count like one large one. */
export class Pacer {
  readonly #bytesPerMs: number;
  #spent = 0;
  /** When the bytes read so far are paid for, in milliseconds of `performance.now`. */
  #paidAt = 0;

  /** `bytesPerSecond`: to read at most; Infinity for as much as there is. */
  constructor(bytesPerSecond = Infinity) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Call after reading `bytes`; a promise where a turn of the event loop or a wait is due. */
  pause(bytes: number): Eventually<void> {
    this.#spent += bytes + callBytes;
    const isTurnDue = this.#spent >= turnBytes;
    if (isTurnDue) this.#spent = 0;
    if (Number.isFinite(this.#bytesPerMs)) return this.#wait(bytes, isTurnDue);
    if (isTurnDue) return setImmediate();
  }

  async #wait(bytes: number, isTurnDue: boolean): Promise<void> {
    const now = performance.now();
    this.#paidAt = Math.max(now, this.#paidAt) + bytes / this.#bytesPerMs;
    const wait = this.#paidAt - now;
    if (wait >= leastWait) await setTimeout(wait);
    else if (isTurnDue) await setImmediate();
  }
}
