/**
 * The default engine: WebAssembly kernels with SIMD over chunks that lie side by side in one
 * memory.
 */
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { DigestTable } from '../../records/digest.ts';
import { chunkElements, digestBytes } from '../../records/grid.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { Pacer } from '../pacer.ts';
import { settleSquares } from '../settle-squares.ts';
import { type Chunk, SweepReader } from '../sweep-reader.ts';
import { ByteSummary, isByte } from './byte-summary.ts';
import { ComplexSummary, isComplexType } from './complex-summary.ts';
import { CopyCheck } from './copy-pass.ts';
import { HalfSummary, isHalf } from './half-summary.ts';
import { type Kernels, loadKernels } from './kernels.ts';
import { writeFixedColumns } from './law-block.ts';
import { LawPass } from './law-pass.ts';
import { dataAt, digestsAt, memoryPages, slackBytes, streamSlots } from './layout.ts';
import { MovementPass } from './movement-pass.ts';
import { writeFreshState } from './stream-state.ts';
import type { StreamSummary, WasmStream } from './stream-summary.ts';
import { Views } from './views.ts';
import { isWide, WideSummary } from './wide-summary.ts';

/** Opens the WebAssembly engine. @throws LaikaError `engine-unavailable`. */
export async function openWasmEngine(): Promise<Engine> {
  const { kernels, buffer } = await loadKernels();
  return new WasmEngine(kernels, new Views(buffer));
}

class WasmEngine implements Engine {
  readonly name = 'wasm';
  readonly device = '1 thread, SIMD';
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #pacer = new Pacer();
  /** Resolves when the sweep before has left the memory. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(kernels: Kernels, views: Views) {
    this.#kernels = kernels;
    this.#views = views;
    writeFreshState(views);
    writeFixedColumns(views);
  }

  /** One sweep at a time has the memory; further ones wait. */
  run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const start = () => {
      const memory = { kernels: this.#kernels, views: this.#views };
      return new WasmPass(sweep, { memory, context, pacer: this.#pacer }).run();
    };
    const result = this.#free.then(start);
    this.#free = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#free;
  }
}

interface PassHost {
  readonly memory: { readonly kernels: Kernels; readonly views: Views };
  readonly context: EngineContext;
  readonly pacer: Pacer;
}

/** The summary of one stream and its digests. */
interface Summarised {
  readonly stream: WasmStream;
  readonly summary: StreamSummary;
  readonly digests: DigestTable;
}

/** One sweep. */
class WasmPass {
  readonly #memory: PassHost['memory'];
  readonly #streams = new Map<Operand, WasmStream>();
  readonly #reader: SweepReader;
  readonly #summaries = new Map<Operand, Summarised>();
  readonly #laws: LawPass;
  readonly #copies: readonly CopyCheck[];
  readonly #movement: MovementPass | null;
  #end = dataAt;

  constructor(sweep: Sweep, { memory, context, pacer }: PassHost) {
    this.#memory = memory;
    this.#placeStreams(sweep);
    this.#reader = new SweepReader(sweep, context, {
      pacer,
      allocate: (operand, bytes) => {
        const { data } = this.#stream(operand);
        return memory.views.u8.subarray(data, data + bytes);
      },
    });
    for (const operand of sweep.summaries) {
      const stream = this.#stream(operand);
      const bytes = Math.ceil((stream.elements * dtypeBits[stream.dtype]) / 8);
      const digests = new DigestTable(bytes);
      this.#summaries.set(operand, { stream, summary: summaryOf(stream), digests });
    }
    this.#laws = new LawPass(memory, sweep.laws, this.#streams);
    this.#copies = sweep.copies.map(
      (plan) => new CopyCheck(plan, this.#stream(plan.left), this.#stream(plan.right)),
    );
    this.#movement = sweep.movement
      ? new MovementPass(memory, sweep.movement, this.#streams)
      : null;
  }

  async run(): Promise<SweepResult> {
    const reader = this.#reader;
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) this.#add(chunk);
    const summaries: Partial<Record<Operand, SummaryRecord>> = {};
    for (const [operand, { summary, digests }] of this.#summaries) {
      const record = summary.finish();
      record.digests = digests.words();
      await settleSquares(record, (scale, centre) =>
        summary.measureSquares(reader.again(operand), { scale, centre }),
      );
      summaries[operand] = record;
    }
    return {
      summaries,
      laws: this.#laws.records(),
      copies: this.#copies.map(({ record }) => record),
      sha256: reader.sha256(),
      movement: this.#movement?.finish() ?? null,
      crc32: reader.crc32(),
      bytesRead: reader.bytesRead,
    };
  }

  /** Gives every stream room for a chunk. */
  #placeStreams({ streams, elements }: Sweep): void {
    let slot = 0;
    const room = Math.min(elements, chunkElements);
    for (const [operand, { tensor }] of Object.entries(streams)) {
      const { dtype } = tensor;
      const data = this.#reserve((room * dtypeBits[dtype]) / 8);
      const codes = dtypeBits[dtype] < 8 ? this.#reserve(room) : data;
      const stream = { ...this.#memory, slot, dtype, elements, data, codes };
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

  #add(chunk: Chunk): void {
    for (const { kernels, data, codes } of this.#streams.values()) {
      if (codes !== data) kernels.unpackNibbles(data, chunk.count, codes);
    }
    for (const { stream, summary, digests } of this.#summaries.values()) {
      summary.add(chunk);
      appendDigests(stream, chunk, digests);
    }
    this.#laws.add(chunk);
    for (const copy of this.#copies) copy.add(chunk);
    this.#movement?.add(chunk);
  }
}

function appendDigests(
  { kernels, views, data, dtype }: WasmStream,
  { count }: Chunk,
  into: DigestTable,
): void {
  const bytes = Math.ceil((count * dtypeBits[dtype]) / 8);
  kernels.digest(data, bytes, digestsAt);
  const pairs = 2 * Math.ceil(bytes / digestBytes);
  into.append(views.u32.subarray(digestsAt >>> 2, (digestsAt >>> 2) + pairs));
}

function summaryOf(stream: WasmStream): StreamSummary {
  const dtype: DType = stream.dtype;
  if (isWide(dtype)) return new WideSummary(stream, dtype);
  if (isHalf(dtype)) return new HalfSummary(stream, dtype);
  if (isComplexType(dtype)) return new ComplexSummary(stream, dtype);
  if (isByte(dtype)) return new ByteSummary(stream);
  throw new Error(`tensors of ${dtype} are not read`);
}
