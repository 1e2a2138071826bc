/** The digest table of one stream, which grows with its chunks. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import { DigestTable } from '../../records/digest.ts';
import { digestBytes } from '../../records/grid.ts';
import type { Chunk } from '../sweep-reader.ts';
import { digestsAt } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';

export class PageDigests {
  readonly #stream: WasmStream;
  readonly #table: DigestTable;
  /** The first element behind those that are digested; -1 before the first chunk. */
  #next = -1;

  constructor(stream: WasmStream) {
    this.#stream = stream;
    const { span, dtype } = stream;
    this.#table = new DigestTable(Math.ceil((span * dtypeBits[dtype]) / 8));
  }

  /** Digests the chunk that lies in memory; a second time it does nothing. */
  add({ first, count }: Chunk): void {
    if (first < this.#next) return;
    const { kernels, views, data, dtype } = this.#stream;
    const bytes = Math.ceil((count * dtypeBits[dtype]) / 8);
    kernels.digest(data, bytes, digestsAt);
    const words = 2 * Math.ceil(bytes / digestBytes);
    this.#table.append(views.u32.subarray(digestsAt >>> 2, (digestsAt >>> 2) + words));
    this.#next = first + count;
  }

  /** Do these digests, of the same part of another stream, say that the chunk in memory is its chunk? */
  repeats(chunk: Chunk, digests: Uint32Array): boolean {
    if (chunk.first < this.#next) return false;
    const at = this.#table.length;
    this.add(chunk);
    return this.#table.isEqualFrom(at, digests);
  }

  words(): Uint32Array {
    return this.#table.words();
  }
}
