/** One part of a sweep, in one memory: chunks lie side by side and every kernel sees them in cache. */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { chunkElements } from '../../records/grid.ts';
import { PageSums } from '../../records/grid-sum.ts';
import type { Detail, EngineContext, Sweep } from '../engine.ts';
import type { Pacer } from '../pacer.ts';
import { type Chunk, SweepReader } from '../sweep-reader.ts';
import { ByteSummary, isByte } from './byte-summary.ts';
import { ComplexSummary, isComplexType } from './complex-summary.ts';
import { CopyCheck } from './copy-pass.ts';
import { HalfSummary, isHalf } from './half-summary.ts';
import type { SquaresAbout } from './join-parts.ts';
import type { Kernels } from './kernels.ts';
import { KnownStreams } from './known-streams.ts';
import { writeFixedColumns } from './law-block.ts';
import { LawPass } from './law-pass.ts';
import {
  dataAt,
  lawSpanElements,
  memoryPages,
  movementSpanElements,
  slackBytes,
  streamSlots,
} from './layout.ts';
import { MovementPass } from './movement-pass.ts';
import { PageDigests } from './page-digests.ts';
import { writeFreshState } from './stream-state.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import type { SummaryPart, SweepPart } from './sweep-part.ts';
import type { Views } from './views.ts';
import { isWide, WideSummary } from './wide-summary.ts';

/** Bytes of a chunk of a stream that is swept alone. */
const aloneBytes = 4 * 1024 * 1024;

/** Kernels and the memory that they share with their host. One pass at a time uses it. */
export interface Memory {
  readonly kernels: Kernels;
  readonly views: Views;
}

/** Writes what every pass finds there; once, when the memory is new. */
export function prepareMemory({ views }: Memory): void {
  writeFreshState(views);
  writeFixedColumns(views);
}

export interface PassHost {
  readonly memory: Memory;
  readonly context: EngineContext;
  readonly pacer: Pacer;
  /** Elements of the part, from a chunk's start; absent: all. */
  readonly span?: Chunk;
}

/** The summary of one stream and its digests. */
interface Summarised {
  readonly summary: StreamSummary;
  /** Null where nothing asks for them. */
  readonly digests: PageDigests | null;
}

export class SweepPass {
  readonly #memory: Memory;
  readonly #span: Chunk;
  readonly #chunk: number;
  readonly #streams = new Map<Operand, WasmStream>();
  readonly #known: KnownStreams;
  readonly #reader: SweepReader;
  readonly #summaries = new Map<Operand, Summarised>();
  readonly #sweep: Sweep;
  #end = dataAt;

  constructor(sweep: Sweep, { memory, context, pacer, span }: PassHost) {
    this.#memory = memory;
    this.#sweep = sweep;
    this.#span = span ?? { first: 0, count: sweep.elements };
    // An onlooker is promised the grid's chunks.
    this.#chunk = context.onChunk ? chunkElements : chunkOf(sweep);
    this.#placeStreams(sweep);
    this.#known = new KnownStreams(sweep, this.#streams);
    this.#reader = new SweepReader(sweep, context, {
      pacer,
      span: this.#span,
      chunk: this.#chunk,
      allocate: (operand, bytes) => {
        const { data } = this.#stream(operand);
        return memory.views.u8.subarray(data, data + bytes);
      },
      isRepeated: (chunk, base, head) =>
        this.#known.isRepeated(chunk, base, this.#summaries.get(head)?.digests ?? null),
    });
  }

  /** Sweeps the part. */
  async run(): Promise<SweepPart> {
    const { laws: bound, copies: plans, movement: plan, summaries } = this.#sweep;
    for (const operand of summaries) this.#summaries.set(operand, this.#summarised(operand));
    const copies = plans.map(
      (each) => new CopyCheck(each, this.#stream(each.left), this.#stream(each.right)),
    );
    const movement = plan ? new MovementPass(this.#memory, plan, this.#streams) : null;
    const reader = this.#reader;
    const laws = bound.length > 0 ? new LawPass(this.#memory, bound, this.#streams) : null;
    for (;;) {
      const next = reader.next();
      const chunk = next instanceof Promise ? await next : next;
      if (!chunk) break;
      this.#known.compare(chunk);
      this.#summarise(chunk);
      for (const copy of copies) copy.add(chunk);
      if (laws) this.#judge(laws, chunk);
      if (movement) move(movement, chunk);
    }
    return {
      summaries: this.#summaryParts(),
      laws: laws?.records() ?? [],
      copies: copies.map(({ record }) => record),
      movement: movement?.finish() ?? null,
      sha256: reader.sha256(),
      crcs: reader.crcs(),
      bytesRead: reader.bytesRead,
      bytesRecalled: reader.bytesRecalled,
      isBaseAltered: this.#known.isAltered,
    };
  }

  /** Σ(x · scale − centre)² of each page of one stream, and the bytes read for it. */
  async pageSquares({ operand, ...about }: SquaresAbout): Promise<{
    readonly squares: number[];
    readonly bytesRead: number;
  }> {
    const stream = this.#stream(operand);
    const squares: number[] = [];
    // Integers of 8 and 16 bits are counted by value, and a complex tensor has no deviation.
    if (!isWide(stream.dtype)) return { squares, bytesRead: 0 };
    const before = this.#reader.bytesRead;
    const summary = new WideSummary(stream, stream.dtype);
    for await (const chunk of this.#reader.again(operand)) {
      squares.push(...summary.squaresOf(chunk, about));
    }
    return { squares, bytesRead: this.#reader.bytesRead - before };
  }

  /** The sum of `pageSquares` where the part is the whole sweep. */
  async measure(about: SquaresAbout): Promise<{ sum: number; bytesRead: number }> {
    const { squares, bytesRead } = await this.pageSquares(about);
    const sums = new PageSums();
    for (const square of squares) sums.add(square);
    return { sum: sums.total(), bytesRead };
  }

  /** Gives every stream room for a chunk. */
  #placeStreams({ streams, elements }: Sweep): void {
    let slot = 0;
    const span = this.#span.count;
    const room = Math.min(span, this.#chunk);
    for (const [operand, { tensor }] of Object.entries(streams)) {
      const { dtype } = tensor;
      const data = this.#reserve((room * dtypeBits[dtype]) / 8);
      const codes = dtypeBits[dtype] < 8 ? this.#reserve(room) : data;
      const stream = { ...this.#memory, slot, dtype, elements, span, data, codes };
      this.#streams.set(operand as Operand, stream);
      slot += 1;
    }
    if (slot > streamSlots || this.#end > memoryPages * 65_536)
      throw new Error('a sweep has too many streams');
  }

  #reserve(bytes: number): number {
    const at = this.#end;
    this.#end = at + Math.ceil(bytes / slackBytes + 1) * slackBytes;
    return at;
  }

  #stream(operand: Operand): WasmStream {
    const stream = this.#streams.get(operand);
    if (!stream) throw new Error(`the sweep has no stream ${operand}`);
    return stream;
  }

  #summarised(operand: Operand): Summarised {
    const stream = this.#stream(operand);
    const { detail = 'history' } = this.#sweep;
    const digests = detail === 'numbers' ? null : new PageDigests(stream);
    return { summary: summaryOf(stream, detail), digests };
  }

  #summarise(chunk: Chunk): void {
    for (const { kernels, data, codes } of this.#streams.values()) {
      if (codes !== data) kernels.unpackNibbles(data, chunk.count, codes);
    }
    for (const { summary, digests } of this.#summaries.values()) {
      summary.add(chunk);
      digests?.add(chunk);
    }
  }

  #judge(laws: LawPass, chunk: Chunk): void {
    laws.begin(this.#finiteStreams());
    for (const [start, count] of spansIn(chunk, lawSpanElements)) laws.addSpan(chunk, start, count);
    laws.end();
  }

  /** Streams of which every element of the last chunk is known to be finite. */
  #finiteStreams(): ReadonlySet<Operand> {
    const finite = new Set<Operand>();
    for (const [operand, { summary }] of this.#summaries) if (summary.isFinite) finite.add(operand);
    return finite;
  }

  #summaryParts(): Partial<Record<Operand, SummaryPart>> {
    const parts: Partial<Record<Operand, SummaryPart>> = {};
    for (const [operand, { summary, digests }] of this.#summaries) {
      const part = summary.part();
      if (digests) part.record.digests = digests.words();
      parts[operand] = part;
    }
    return parts;
  }
}

function move(movement: MovementPass, chunk: Chunk): void {
  movement.begin(chunk);
  for (const [start, count] of spansIn(chunk, movementSpanElements)) movement.addSpan(start, count);
  movement.end();
}

/** Start and length of each span of `size` elements of a chunk. */
function* spansIn({ count }: Chunk, size: number): Generator<readonly [number, number]> {
  for (let start = 0; start < count; start += size) yield [start, Math.min(size, count - start)];
}

/**
 * Elements of a chunk. A stream alone is read in larger ones: what a chunk costs besides its bytes is
 * paid for fewer.
 */
function chunkOf({ streams }: Sweep): number {
  const [only, ...others] = Object.values(streams);
  if (!only || others.length > 0) return chunkElements;
  const elements = (8 * aloneBytes) / dtypeBits[only.tensor.dtype];
  return chunkElements * Math.max(1, Math.floor(elements / chunkElements));
}

function summaryOf(stream: WasmStream, detail: Detail): StreamSummary {
  const { dtype } = stream;
  if (isWide(dtype)) return new WideSummary(stream, dtype, detail);
  if (isHalf(dtype)) return new HalfSummary(stream, dtype);
  if (isComplexType(dtype)) return new ComplexSummary(stream, dtype);
  if (isByte(dtype)) return new ByteSummary(stream);
  throw new Error(`tensors of ${dtype} are not read`);
}
