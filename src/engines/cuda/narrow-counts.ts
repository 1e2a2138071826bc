/** How often each code of a type of at most 16 bits occurs, counted on the GPU. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import { codeAt } from '../reference/decode.ts';
import { squaresOfCounts } from '../value-counts.ts';
import { fillFromCounts } from '../wasm/counted-record.ts';
import { groupElements, whole } from './kernels.ts';
import type { CudaSession } from './session.ts';
import { type ChunkWork, type CudaStream, dataOf, viewOf } from './work.ts';

/** Up to here codes are counted here: 65,536 counters take longer to clear and to fetch. */
const smallElements = 2048;

/** Elements after which the 32-bit counters are emptied; a ring of chunks more fits well. */
const countedElements = 2 ** 31;

export class NarrowCounts {
  readonly #session: CudaSession;
  readonly #stream: CudaStream;
  /** By code, those that occur. */
  readonly #totals = new Map<number, number>();
  readonly #limit: number;
  /** Counters on the GPU; 0 for small tensors. */
  readonly #counters: bigint;
  /** The same in order; filled at the end. */
  readonly #codes: number[] = [];
  readonly #counts: number[] = [];
  #inCounters = 0;

  /** `limit`: elements after which counters are emptied, for tests. */
  constructor(session: CudaSession, stream: CudaStream, limit = countedElements) {
    this.#session = session;
    this.#stream = stream;
    this.#limit = limit;
    this.#counters = stream.elements > smallElements ? session.counters(stream.operand) : 0n;
  }

  start(work: ChunkWork): void {
    if (this.#counters === 0n) return;
    const bits = dtypeBits[this.#stream.dtype] as 16 | 8 | 4;
    const { count } = work.chunk;
    this.#session.launch(`countCode${bits}`, Math.ceil(count / groupElements.counted), [
      dataOf(this.#stream, work),
      whole(count),
      this.#counters,
    ]);
    this.#inCounters += count;
  }

  take(work: ChunkWork): void {
    if (this.#counters === 0n) this.#countHere(work);
    else if (this.#inCounters >= this.#limit) this.#empty();
  }

  /** Fills what follows from the counts: all but indices, lanes, blocks and digests. */
  fill(record: SummaryRecord): void {
    if (this.#counters !== 0n) this.#empty();
    for (const code of [...this.#totals.keys()].sort((a, b) => a - b)) {
      this.#codes.push(code);
      this.#counts.push(this.#totals.get(code) as number);
    }
    fillFromCounts(record, { codes: this.#codes, counts: this.#counts });
  }

  /** Σ(x − centre)²; after `fill`. */
  squares(centre: number): number {
    return squaresOfCounts(
      this.#stream.dtype,
      { codes: this.#codes, counts: this.#counts },
      centre,
    );
  }

  #add(code: number, count: number): void {
    this.#totals.set(code, (this.#totals.get(code) ?? 0) + count);
  }

  #countHere(work: ChunkWork): void {
    const view = viewOf(this.#stream, work);
    for (let i = 0; i < work.chunk.count; i++) this.#add(codeAt(this.#stream.dtype, view, i), 1);
  }

  #empty(): void {
    const codes = 2 ** dtypeBits[this.#stream.dtype];
    const counts = this.#session.takeCounters(this.#counters, codes);
    for (let code = 0; code < codes; code++) {
      const count = counts[code] as number;
      if (count > 0) this.#add(code, count);
    }
    this.#inCounters = 0;
  }
}
