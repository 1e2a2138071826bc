/**
 * Streams of the base whose digests a ledger knows: a chunk that the head repeats is taken from it,
 * and any other is compared with what the ledger says.
 */
import type { Operand } from '../../laws/law.ts';
import type { Sweep } from '../engine.ts';
import type { Chunk } from '../sweep-reader.ts';
import { PageDigests } from './page-digests.ts';
import type { WasmStream } from './stream-summary.ts';

interface Known {
  readonly table: Uint32Array;
  readonly digests: PageDigests;
}

export class KnownStreams {
  readonly #known = new Map<Operand, Known>();
  readonly #taken = new Set<Operand>();
  /** Were other bytes read than the ledger knows? */
  isAltered = false;

  constructor(sweep: Sweep, streams: ReadonlyMap<Operand, WasmStream>) {
    for (const [operand, stream] of streams) {
      const table = sweep.streams[operand]?.digests;
      if (table) this.#known.set(operand, { table, digests: new PageDigests(stream) });
    }
  }

  /** Does the head's chunk, which lies in memory, repeat that of this stream? */
  isRepeated(chunk: Chunk, base: Operand, head: PageDigests | null): boolean {
    const known = this.#known.get(base);
    if (!known || !head?.repeats(chunk, known.table)) return false;
    this.#taken.add(base);
    return true;
  }

  /** Compares what was read of a chunk. */
  compare(chunk: Chunk): void {
    for (const [operand, { table, digests }] of this.#known) {
      if (this.#taken.has(operand)) continue;
      if (!digests.repeats(chunk, table)) this.isAltered = true;
    }
    this.#taken.clear();
  }
}
