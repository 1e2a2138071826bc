/**
 * The summary of float16 and bfloat16: the model counts every code, so that all numbers follow
 * exactly; what depends on where an element stands the host finds in the rows that the model names.
 */
import { DigestTable } from '../../records/digest.ts';
import { blockElements } from '../../records/grid.ts';
import { emptySummaryRecord } from '../../records/summary.ts';
import { float32Bits } from '../float32-bits.ts';
import { valuesOf } from '../narrow-types.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { SummaryPart } from '../wasm/sweep-part.ts';
import type { Runner } from './device.ts';
import { bytesOf, type DeviceStream, realsOf } from './device-stream.ts';
import { addLanes, addToLane } from './lanes.ts';
import { codings } from './row-graph.ts';

export class HalfSummary {
  readonly #stream: DeviceStream;
  readonly #run: Runner;
  readonly #record;
  readonly #digests: DigestTable;
  readonly #counts = new Float64Array(65_536);
  readonly #infinity: number;
  readonly #sizeMask: number;
  /** The code without sign of the largest finite element so far. */
  #largest = -1;

  constructor(stream: DeviceStream, run: Runner) {
    const { infinity, sizeMask } = codings[stream.type];
    this.#stream = stream;
    this.#run = run;
    this.#record = emptySummaryRecord(stream.type);
    this.#digests = new DigestTable(bytesOf(stream.type, stream.elements));
    this.#infinity = infinity;
    this.#sizeMask = sizeMask;
  }

  /** Takes the chunk that the stream holds. */
  add({ first, count }: Chunk): void {
    const { rows } = this.#stream;
    this.#stream.digest(this.#digests);
    if (rows > 0) this.#addRows(first, rows);
    const rest = rows * blockElements;
    if (rest < count) this.#addRest(first, rest, count - rest);
    this.#record.elements += count;
  }

  part(): SummaryPart {
    this.#record.digests = this.#digests.words();
    return {
      record: this.#record,
      largest: this.#largest,
      second: -1,
      least: Infinity,
      most: -Infinity,
      sums: [],
      squares: [],
      counted: { codes: this.#counts.map((_, code) => code), counts: this.#counts },
    };
  }

  #addRows(first: number, rows: number): void {
    const found = this.#run({ bits: this.#stream.matrix });
    const fields = realsOf(found.rows);
    for (let row = 0; row < rows; row++) {
      const largest = fields[row] as number;
      const finite = fields[rows + row] as number;
      if (largest === 0 && finite === blockElements) this.#record.zeroBlocks += 1;
      const isNews = this.#record.firstNonFinite < 0 && finite < blockElements;
      if (largest > this.#largest || isNews) {
        this.#locate(first + row * blockElements, row * blockElements, blockElements);
      }
    }
    for (const [code, count] of (found.codes ?? []).entries()) {
      this.#counts[code] = (this.#counts[code] as number) + count;
    }
    addLanes(this.#record, found);
  }

  /** Elements that no model sees: at most one row. */
  #addRest(first: number, at: number, count: number): void {
    const values = valuesOf(this.#stream.type);
    for (const [i, code] of this.#stream.codes(at, count).entries()) {
      this.#counts[code] = (this.#counts[code] as number) + 1;
      const size = code & this.#sizeMask;
      if (size === 0 || size >= this.#infinity) continue;
      addToLane(this.#record, first + at + i, float32Bits(values[code] as number));
    }
    this.#locate(first + at, at, count);
  }

  /** Finds the first largest element of a row, and the first that is not finite. */
  #locate(index: number, at: number, count: number): void {
    for (const [i, code] of this.#stream.codes(at, count).entries()) {
      const size = code & this.#sizeMask;
      if (size >= this.#infinity) {
        if (this.#record.firstNonFinite < 0) this.#record.firstNonFinite = index + i;
      } else if (size > this.#largest) {
        this.#largest = size;
        this.#record.max1Index = index + i;
      }
    }
  }
}
