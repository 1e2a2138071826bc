/** One sweep on the GPU: chunks go round in slots, reads, copies and kernels at the same time. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { type DType, isComplex } from '../../checkpoint/dtype.ts';
import type { Operand } from '../../laws/law.ts';
import { chunkElements } from '../../records/grid.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { EngineContext, Sweep, SweepResult } from '../engine.ts';
import { isNarrow } from '../narrow-types.ts';
import type { Pacer } from '../pacer.ts';
import { type ComplexType, partType } from '../reference/decode.ts';
import { settleSquares } from '../settle-squares.ts';
import { SweepReader } from '../sweep-reader.ts';
import { CopyPass } from './copy-pass.ts';
import { type LawPass, lawPass } from './law-pass.ts';
import { MovementPass } from './movement-pass.ts';
import type { Ring, Slot } from './ring.ts';
import type { CudaSession } from './session.ts';
import { type SentChunks, SummaryPass } from './summary-pass.ts';
import {
  type ChunkWork,
  type CudaPass,
  type CudaStream,
  chunkBytes,
  ResultLayout,
} from './work.ts';

/** Streams start where any vector load may. */
const alignment = 256;

/** Looks at an event that give way to the event loop only, before it is left alone for a while. */
const eagerLooks = 200;

export interface SweepHost {
  readonly session: CudaSession;
  readonly ring: Ring;
  readonly pacer: Pacer;
  /** Elements after which 32-bit counters are emptied; for tests. */
  readonly countLimit?: number | undefined;
}

export class CudaSweep {
  readonly #sweep: Sweep;
  readonly #context: EngineContext;
  readonly #host: SweepHost;
  readonly #session: CudaSession;
  readonly #streams = new Map<Operand, CudaStream>();
  readonly #layout = new ResultLayout();
  readonly #summaries = new Map<Operand, SummaryPass>();
  readonly #laws: readonly LawPass[];
  readonly #copies: readonly CopyPass[];
  readonly #movement: MovementPass | null;
  readonly #passes: readonly CudaPass[];
  #inputBytes = 0;

  /**
   * Takes tables and counters, which stay on the GPU behind the sweep: slots get what they leave.
   * @throws CudaError where the GPU has no room for them.
   */
  constructor(sweep: Sweep, context: EngineContext, host: SweepHost) {
    const { session, countLimit } = host;
    this.#sweep = sweep;
    this.#context = context;
    this.#host = host;
    this.#session = session;
    this.#placeStreams();
    const layout = this.#layout;
    for (const operand of sweep.summaries) {
      this.#summaries.set(
        operand,
        new SummaryPass({ session, layout, countLimit }, this.#stream(operand)),
      );
    }
    const shared = { session, streams: this.#streams, layout };
    this.#laws = sweep.laws.map((bound) => lawPass(shared, bound));
    this.#copies = sweep.copies.map((plan) => {
      const [left, right] = [this.#stream(plan.left), this.#stream(plan.right)];
      const isRounded = plan.relation === 'rounded';
      return new CopyPass(session, { left, right, isRounded }, layout);
    });
    this.#movement = sweep.movement ? new MovementPass(shared, sweep.movement) : null;
    const movement = this.#movement ? [this.#movement] : [];
    this.#passes = [...this.#summaries.values(), ...this.#laws, ...this.#copies, ...movement];
  }

  /** @throws CudaError, and whatever reading throws; nothing runs on the GPU any more then. */
  async run(): Promise<SweepResult> {
    const size = { input: this.#inputBytes, output: this.#layout.bytes };
    const slots = await this.#host.ring.slots(size);
    const reader = this.#reader(slots);
    try {
      await this.#sendAll(reader, slots);
      const summaries = await this.#finishSummaries(reader, slots);
      return {
        summaries,
        laws: this.#laws.map(({ record }) => record),
        copies: this.#copies.map(({ record }) => record),
        sha256: reader.sha256(),
        movement: this.#movement?.finish() ?? null,
        crcs: new Map(reader.crcs().map(({ key, value }) => [key, value])),
        bytesRead: reader.bytesRead,
      };
    } catch (error) {
      // Slots belong to the next sweep as soon as this one has ended.
      this.#session.settleQuietly();
      throw error;
    }
  }

  #placeStreams(): void {
    const { streams, elements } = this.#sweep;
    const room = Math.min(elements, chunkElements);
    for (const [name, { tensor }] of Object.entries(streams)) {
      const operand = name as Operand;
      const { dtype } = tensor;
      const table = this.#tableOf(dtype);
      this.#streams.set(operand, { operand, dtype, elements, offset: this.#inputBytes, table });
      this.#inputBytes += Math.ceil(chunkBytes({ dtype }, room) / alignment) * alignment;
    }
  }

  #tableOf(dtype: DType): bigint {
    const part = isComplex(dtype) ? partType(dtype as ComplexType) : dtype;
    return isNarrow(part) ? this.#session.table(part) : 0n;
  }

  #stream(operand: Operand): CudaStream {
    const stream = this.#streams.get(operand);
    if (!stream) throw new Error(`the sweep has no stream ${operand}`);
    return stream;
  }

  #reader(slots: readonly Slot[]): SweepReader {
    return new SweepReader(this.#sweep, this.#context, {
      pacer: this.#host.pacer,
      rooms: slots.length,
      allocate: (operand, bytes, room) => {
        const { buffer } = (slots[room] as Slot).input;
        return new Uint8Array(buffer, this.#stream(operand).offset, bytes);
      },
    });
  }

  /** Reads into a slot as soon as what it held before was taken. */
  async #sendAll(reader: SweepReader, slots: readonly Slot[]): Promise<void> {
    const waiting: ChunkWork[] = [];
    for (let turn = 0; ; turn++) {
      if (waiting.length === slots.length) await this.#takeOldest(waiting);
      const chunk = await reader.next();
      if (!chunk) break;
      const work = { chunk, slot: slots[turn % slots.length] as Slot };
      this.#send(work, this.#streams.values());
      for (const pass of this.#passes) pass.start(work);
      this.#receive(work);
      waiting.push(work);
    }
    while (waiting.length > 0) await this.#takeOldest(waiting);
  }

  async #takeOldest(waiting: ChunkWork[]): Promise<void> {
    const work = waiting.shift() as ChunkWork;
    await this.#settle(work);
    for (const pass of this.#passes) pass.take(work);
  }

  /** Copies streams to the GPU and lets kernels wait for them. */
  #send({ chunk, slot }: ChunkWork, streams: Iterable<CudaStream>): void {
    const { driver, copyStream, workStream } = this.#session;
    for (const stream of streams) {
      const at = BigInt(stream.offset);
      const bytes = BigInt(chunkBytes(stream, chunk.count));
      driver.call('copyIn', slot.deviceInput + at, slot.input.address + at, bytes, copyStream);
    }
    driver.call('recordEvent', slot.copied, copyStream);
    driver.call('waitEvent', workStream, slot.copied, 0);
    const { totalsBytes } = this.#layout;
    if (totalsBytes > 0) this.#session.clear(slot.deviceOutput, totalsBytes);
  }

  /** Copies results back behind the kernels. */
  #receive({ slot }: ChunkWork): void {
    const { driver, workStream } = this.#session;
    const bytes = BigInt(this.#layout.bytes);
    if (bytes > 0n) {
      driver.call('copyOut', slot.output.address, slot.deviceOutput, bytes, workStream);
    }
    driver.call('recordEvent', slot.done, workStream);
  }

  /** Waits for the copy back; the rest of the process goes on. */
  async #settle({ slot }: ChunkWork): Promise<void> {
    const { driver } = this.#session;
    for (let looks = 0; !driver.isDone(slot.done); looks++) {
      if (looks < eagerLooks) await setImmediate();
      else await setTimeout(1);
    }
  }

  async #finishSummaries(
    reader: SweepReader,
    slots: readonly Slot[],
  ): Promise<Partial<Record<Operand, SummaryRecord>>> {
    const summaries: Partial<Record<Operand, SummaryRecord>> = {};
    for (const [operand, pass] of this.#summaries) {
      const record = pass.finish();
      await settleSquares(record, (scale, centre) => {
        const chunks = this.#again(reader, operand, slots);
        return pass.measureSquares(chunks, { scale, centre });
      });
      summaries[operand] = record;
    }
    return summaries;
  }

  /** Sends the chunks of one stream once more, one at a time. */
  #again(reader: SweepReader, operand: Operand, slots: readonly Slot[]): SentChunks {
    const send = (work: ChunkWork) => this.#send(work, [this.#stream(operand)]);
    async function* sent(): AsyncGenerator<ChunkWork> {
      for await (const chunk of reader.again(operand)) {
        const room = (chunk.first / chunkElements) % slots.length;
        const work = { chunk, slot: slots[room] as Slot };
        send(work);
        yield work;
      }
    }
    const receive = async (work: ChunkWork) => {
      this.#receive(work);
      await this.#settle(work);
    };
    return { sent: sent(), receive };
  }
}
