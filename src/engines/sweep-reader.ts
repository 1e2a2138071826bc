/**
 * Reads the streams of a sweep side by side, and what comes free with reading: checksums, hashes,
 * progress.
 */
import type { Operand } from '../laws/law.ts';
import { crcSteps } from '../records/crc.ts';
import { chunkElements } from '../records/grid.ts';
import type { Eventually } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import type { EngineContext, Sweep } from './engine.ts';
import type { Pacer } from './pacer.ts';
import { bytesOf, type CoveredCrc, type Reading, readingsOf } from './sweep-readings.ts';

/** Consecutive elements whose bytes are in the buffers of all streams. */
export interface Chunk {
  readonly first: number;
  readonly count: number;
}

/** What an engine gives a reader. */
export interface ReaderHost {
  readonly pacer: Pacer;
  /** Elements to read, from a chunk's start; absent: all of them. */
  readonly span?: Chunk;
  /** Elements of a chunk, a multiple of `chunkElements`; absent: those. */
  readonly chunk?: number;
  /** Rooms that chunks are read into in turn, so that earlier ones stay readable; default 1. */
  readonly rooms?: number;
  /** Room for `bytes` bytes of one stream that only this sweep uses. */
  allocate(operand: Operand, bytes: number, room: number): Uint8Array;
  /**
   * Has the head's chunk, which has been read, the digests that are known of the base's? Absent:
   * every stream is read.
   */
  readonly isRepeated?: (chunk: Chunk, base: Operand, head: Operand) => boolean;
}

export class SweepReader {
  readonly #context: EngineContext;
  readonly #pacer: Pacer;
  readonly #readings: readonly Reading[];
  /** Those without a twin. */
  readonly #alone: readonly Reading[];
  readonly #span: Chunk;
  readonly #chunk: number;
  readonly #isRepeated: ReaderHost['isRepeated'];
  #first: number;
  #bytesRead = 0;
  #bytesRecalled = 0;

  constructor(sweep: Sweep, context: EngineContext, host: ReaderHost) {
    this.#context = context;
    this.#pacer = host.pacer;
    this.#span = host.span ?? { first: 0, count: sweep.elements };
    this.#first = this.#span.first;
    this.#chunk = host.chunk ?? chunkElements;
    this.#isRepeated = host.isRepeated;
    const room = Math.min(this.#span.count, this.#chunk);
    this.#readings = readingsOf(sweep, context, { ...host, room });
    this.#alone = this.#readings.filter(({ twin }) => !twin);
  }

  /**
   * Reads the next chunk of every stream; null after the last.
   * @throws what `signal` was aborted with, and LaikaError as `Source.read`.
   */
  next(): Eventually<Chunk | null> {
    const chunk = this.#chunkAt(this.#first);
    if (!chunk) return null;
    const reading = this.#readAll(chunk);
    return reading ? reading.then(() => this.#pass(chunk)) : this.#pass(chunk);
  }

  /**
   * Chunks of one stream from the span's start, after `next` has returned null. One that is still
   * there is not read again.
   */
  async *again(operand: Operand): AsyncGenerator<Chunk> {
    const reading = this.#reading(operand);
    const { first, count } = this.#span;
    let chunk = this.#chunkAt(first);
    while (chunk) {
      if (count > this.#chunk || this.#first === first) await this.#read([reading], chunk);
      yield chunk;
      chunk = this.#chunkAt(chunk.first + chunk.count);
    }
  }

  /** Bytes read from files so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that were taken from the head so far, because the base's are known to be the same. */
  get bytesRecalled(): number {
    return this.#bytesRecalled;
  }

  /** Hexadecimal SHA-256 of the streams that asked for it; once, after the last chunk. */
  sha256(): Partial<Record<Operand, string>> {
    const found: Partial<Record<Operand, string>> = {};
    for (const { operand, hash } of this.#readings) if (hash) found[operand] = hash.digest('hex');
    return found;
  }

  /** Of what was read of the stored checksums that the sweep covers in whole. */
  crcs(): readonly CoveredCrc[] {
    return this.#readings.flatMap(({ checksum }) => checksum ?? []);
  }

  /** Takes what comes free with a chunk that has been read. */
  #pass(chunk: Chunk): Chunk {
    for (const reading of this.#readings) {
      const { checksum, hash } = reading;
      const bytes = this.#roomOf(reading, chunk);
      if (checksum) {
        checksum.value = crcSteps[checksum.kind](bytes, checksum.value);
        checksum.bytes += bytes.length;
      }
      hash?.update(bytes);
    }
    this.#context.onChunk?.(chunk, (operand) => this.#bytes(operand, chunk));
    this.#first += chunk.count;
    return chunk;
  }

  #reading(operand: Operand): Reading {
    const reading = this.#readings.find((each) => each.operand === operand);
    if (!reading) throw new Error(`the sweep has no stream ${operand}`);
    return reading;
  }

  #bytes(operand: Operand, chunk: Chunk): Uint8Array {
    return this.#roomOf(this.#reading(operand), chunk);
  }

  #chunkAt(first: number): Chunk | null {
    const count = Math.min(this.#chunk, this.#span.first + this.#span.count - first);
    return count > 0 ? { first, count } : null;
  }

  /** Reads what has no twin, then of the rest what does not repeat it. */
  #readAll(chunk: Chunk): Eventually<void> {
    const reading = this.#read(this.#alone, chunk);
    if (this.#alone.length === this.#readings.length) return reading;
    return reading ? reading.then(() => this.#readChanged(chunk)) : this.#readChanged(chunk);
  }

  #readChanged(chunk: Chunk): Eventually<void> {
    const changed = this.#readings.filter((reading) => reading.twin && !this.#take(reading, chunk));
    if (changed.length > 0) return this.#read(changed, chunk);
  }

  /** Takes a chunk from the twin; false where it is another one. */
  #take(reading: Reading, chunk: Chunk): boolean {
    const { twin, operand } = reading;
    if (!twin || !this.#isRepeated?.(chunk, operand, twin.operand)) return false;
    const bytes = this.#roomOf(twin, chunk);
    this.#roomOf(reading, chunk).set(bytes);
    this.#bytesRecalled += bytes.length;
    return true;
  }

  #read(readings: readonly Reading[], chunk: Chunk): Eventually<void> {
    this.#context.signal?.throwIfAborted();
    const reads: Eventually<number>[] = [];
    let isPending = false;
    for (const reading of readings) {
      const read = this.#readOne(reading, chunk);
      reads.push(read);
      if (typeof read !== 'number') isPending = true;
    }
    return isPending
      ? this.#settle(reads, readings, chunk)
      : this.#count(reads as number[], readings, chunk);
  }

  async #settle(
    reads: readonly Eventually<number>[],
    readings: readonly Reading[],
    chunk: Chunk,
  ): Promise<void> {
    // All must have ended before an error leaves: a late read would write into the next sweep's
    // buffers.
    const ends = await Promise.allSettled(reads);
    const counts = ends.map((end) => {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    });
    await this.#count(counts, readings, chunk);
  }

  #count(counts: readonly number[], readings: readonly Reading[], chunk: Chunk): Eventually<void> {
    for (const count of counts) this.#bytesRead += count;
    this.#context.onBytes?.(this.#bytesRead);
    let bytes = 0;
    for (const { stream } of readings) bytes += bytesOf(stream, chunk.count);
    return this.#pacer.pause(bytes);
  }

  /** Reads one stream's chunk. An error is a promise too: other streams may still be reading. */
  #readOne(reading: Reading, chunk: Chunk): Eventually<number> {
    const { source, stream } = reading;
    const into = this.#roomOf(reading, chunk);
    try {
      return readTensorBytes(source, stream.tensor, { ...chunk, into });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Where the bytes of a chunk lie once they are read. */
  #roomOf({ stream, rooms }: Reading, { first, count }: Chunk): Uint8Array {
    const room = rooms[Math.floor(first / this.#chunk) % rooms.length] as Uint8Array;
    return room.subarray(0, bytesOf(stream, count));
  }
}
