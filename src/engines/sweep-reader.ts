/**
 * Reads the streams of a sweep side by side, and what comes free with reading: checksums, hashes,
 * progress.
 */
import { createHash, type Hash } from 'node:crypto';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Operand } from '../laws/law.ts';
import { type CrcKind, crcKindOf, crcSteps } from '../records/crc.ts';
import { chunkElements } from '../records/grid.ts';
import type { Eventually, Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import { coveredChecksum } from './covered-checksum.ts';
import { checksumKey, type EngineContext, type Stream, type Sweep } from './engine.ts';
import type { Pacer } from './pacer.ts';

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

/** The cyclic checksum, not masked, of the part of a stored one's bytes that was read. */
export interface CoveredCrc {
  /** As `checksumKey` makes it. */
  readonly key: string;
  readonly kind: CrcKind;
  value: number;
  bytes: number;
}

interface Reading {
  readonly operand: Operand;
  readonly stream: Stream;
  readonly source: Source;
  /** Room for one chunk each. */
  readonly rooms: readonly Uint8Array[];
  readonly checksum: CoveredCrc | null;
  readonly hash: Hash | null;
  /** The stream of the head whose bytes may be these; null where that cannot be told. */
  readonly twin: Reading | null;
}

export class SweepReader {
  readonly #context: EngineContext;
  readonly #pacer: Pacer;
  readonly #readings: readonly Reading[];
  /** Those without a twin. */
  readonly #alone: readonly Reading[];
  readonly #span: Chunk;
  readonly #isRepeated: ReaderHost['isRepeated'];
  #first: number;
  #bytesRead = 0;
  #bytesRecalled = 0;

  constructor(sweep: Sweep, context: EngineContext, host: ReaderHost) {
    this.#context = context;
    this.#pacer = host.pacer;
    this.#span = host.span ?? { first: 0, count: sweep.elements };
    this.#first = this.#span.first;
    const room = Math.min(this.#span.count, chunkElements);
    const streams = Object.entries(sweep.streams) as [Operand, Stream][];
    const covered = new Set<string>();
    const readings = streams.map(
      ([operand, stream]): Reading => ({
        operand,
        stream,
        source: sourceOf(stream, context),
        rooms: Array.from({ length: host.rooms ?? 1 }, (_, i) =>
          host.allocate(operand, bytesOf(stream, room), i),
        ),
        // Of bytes that are taken from elsewhere no checksum is their own.
        checksum: host.isRepeated && stream.digests ? null : checksumOf(stream, context, covered),
        hash: sweep.sha256.includes(operand) ? createHash('sha256') : null,
        twin: null,
      }),
    );
    this.#isRepeated = host.isRepeated;
    this.#readings = host.isRepeated
      ? readings.map((each) => ({ ...each, twin: twinOf(each, readings) }))
      : readings;
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
      if (count > chunkElements || this.#first === first) await this.#read([reading], chunk);
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
      const bytes = roomOf(reading, chunk);
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
    return roomOf(this.#reading(operand), chunk);
  }

  #chunkAt(first: number): Chunk | null {
    const count = Math.min(chunkElements, this.#span.first + this.#span.count - first);
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
    const bytes = roomOf(twin, chunk);
    roomOf(reading, chunk).set(bytes);
    this.#bytesRecalled += bytes.length;
    return true;
  }

  #read(readings: readonly Reading[], chunk: Chunk): Eventually<void> {
    this.#context.signal?.throwIfAborted();
    const reads: Eventually<number>[] = [];
    let isPending = false;
    for (const reading of readings) {
      const read = readOf(reading, chunk);
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
}

/** Reads one stream's chunk. An error is a promise too: other streams may still be reading. */
function readOf(reading: Reading, chunk: Chunk): Eventually<number> {
  const { source, stream } = reading;
  try {
    return readTensorBytes(source, stream.tensor, { ...chunk, into: roomOf(reading, chunk) });
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The head's stream of the same tensor, where the digests of this one of the base are known. */
function twinOf({ operand, stream }: Reading, readings: readonly Reading[]): Reading | null {
  if (!stream.digests || !operand.endsWith('A')) return null;
  const name = `${operand.slice(0, -1)}B`;
  const twin = readings.find((each) => each.operand === name);
  return twin?.stream.tensor.dtype === stream.tensor.dtype ? twin : null;
}

/** Where the bytes of a chunk lie once they are read. */
function roomOf({ stream, rooms }: Reading, { first, count }: Chunk): Uint8Array {
  const room = rooms[(first / chunkElements) % rooms.length] as Uint8Array;
  return room.subarray(0, bytesOf(stream, count));
}

function bytesOf({ tensor }: Stream, elements: number): number {
  return Math.ceil((dtypeBits[tensor.dtype] * elements) / 8);
}

function sourceOf({ origin }: Stream, { sources }: EngineContext): Source {
  const source = origin === 'head' ? sources.head : sources.base;
  if (!source) throw new Error('a sweep reads a base that the context does not have');
  return source;
}

/** Streams may lie in one storage (a state that is saved twice): the first that covers it counts. */
function checksumOf(
  { tensor, origin }: Stream,
  context: EngineContext,
  covered: Set<string>,
): Reading['checksum'] {
  const stored = coveredChecksum(tensor, context.checksums[origin]);
  if (!stored) return null;
  const key = checksumKey(origin, stored);
  if (covered.has(key)) return null;
  covered.add(key);
  return { key, kind: crcKindOf(stored), value: 0, bytes: 0 };
}
