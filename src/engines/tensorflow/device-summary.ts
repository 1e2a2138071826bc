/** The summary of one stream on TensorFlow, whatever its type, up to the finished record. */
import { chunkElements } from '../../records/grid.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { SweepResult } from '../engine.ts';
import { settleSquares } from '../settle-squares.ts';
import type { Chunk } from '../sweep-reader.ts';
import { JoinedSummary } from '../wasm/join-summaries.ts';
import type { Runner } from './device.ts';
import { bytesOf, type DeviceStream } from './device-stream.ts';
import { Float32Summary } from './float32-summary.ts';
import { HalfSummary } from './half-summary.ts';

export class DeviceSummary {
  readonly #stream: DeviceStream;
  readonly #summary: Float32Summary | HalfSummary;
  readonly #joined: JoinedSummary;

  constructor(stream: DeviceStream, run: Runner) {
    this.#stream = stream;
    const isWide = stream.type === 'f32';
    this.#summary = isWide ? new Float32Summary(stream, run) : new HalfSummary(stream, run);
    this.#joined = new JoinedSummary(stream.type, bytesOf(stream.type, stream.elements));
  }

  /** Takes the chunk that the stream holds. */
  add(chunk: Chunk): void {
    this.#summary.add(chunk);
  }

  /** The record but for squares that need a second look. */
  finish(): SummaryRecord {
    this.#joined.add(this.#summary.part());
    return this.#joined.finish();
  }

  /** Measures the squares again where it must, by `again`; returns the bytes read for it. */
  async settle(record: SummaryRecord, again: () => Promise<SweepResult>): Promise<number> {
    let bytesRead = 0;
    await settleSquares(record, async (_, centre) => {
      const counted = this.#joined.squaresOfCounts(centre);
      if (counted !== null) return counted;
      const result = await again();
      // One chunk would still be there for an engine that reads for itself.
      if (this.#stream.elements > chunkElements) bytesRead = result.bytesRead;
      const squares = Object.values(result.summaries)[0]?.centredSquares ?? null;
      if (squares === null) throw new Error('two engines disagree about the deviation');
      return squares;
    });
    return bytesRead;
  }
}
