/** The digest table of one stream, which grows with its chunks. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import { DigestTable, digestCount } from '../../records/digest.ts';
import type { Chunk } from '../sweep-reader.ts';
import { digestsAt } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';

export class PageDigests {
  readonly #stream: WasmStream;
  readonly #table: DigestTable;
  /** The first element of the part; null before its first chunk. */
  #first: number | null = null;
  /** The first element behind those that are digested. */
  #next = -1;

  constructor(stream: WasmStream) {
    this.#stream = stream;
    this.#table = new DigestTable(this.#bytes(stream.span));
  }

  /** Digests the chunk that lies in memory; a second time it does nothing. */
  add(chunk: Chunk): void {
    if (chunk.first >= this.#next) this.#table.append(this.#digest(chunk));
  }

  /** Are the digests of the chunk in memory those of another stream's table of the same part? */
  repeats(chunk: Chunk, table: Uint32Array): boolean {
    if (chunk.first < this.#next) return false;
    const found = this.#digest(chunk);
    this.#table.append(found);
    const at = 2 * digestCount(this.#bytes(chunk.first - (this.#first ?? chunk.first)));
    return found.every((word, i) => word === table[at + i]);
  }

  words(): Uint32Array {
    return this.#table.words();
  }

  #digest({ first, count }: Chunk): Uint32Array {
    const { kernels, views, data } = this.#stream;
    const bytes = this.#bytes(count);
    this.#first ??= first;
    this.#next = first + count;
    kernels.digest(data, bytes, digestsAt);
    const from = digestsAt >>> 2;
    return views.u32.subarray(from, from + 2 * digestCount(bytes));
  }

  #bytes(elements: number): number {
    return Math.ceil((elements * dtypeBits[this.#stream.dtype]) / 8);
  }
}
