/**
 * The summary of float32: the model sums and screens rows, the host looks at the rows that hold
 * anything but ordinary numbers and zeros, and at the elements past the last whole row.
 */
import { dtypeBits } from '../../checkpoint/dtype.ts';
import { DigestTable } from '../../records/digest.ts';
import {
  blockElements,
  octaveStride,
  pageElements,
  smallTensorBytes,
  sumChains,
} from '../../records/grid.ts';
import { combineChains } from '../../records/grid-sum.ts';
import { emptySummaryRecord } from '../../records/summary.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { SummaryPart } from '../wasm/sweep-part.ts';
import type { Outputs, Runner } from './device.ts';
import { bytesOf, type DeviceStream, realsOf } from './device-stream.ts';
import { addLanes, addToLane } from './lanes.ts';
import { codings } from './row-graph.ts';

const { infinity, smallest, sizeMask } = codings.f32;

const single = new Float32Array(1);
const word = new Int32Array(single.buffer);

/** The float32 whose bits are `size`. */
function magnitude(size: number): number {
  word[0] = size;
  return single[0] as number;
}

export class Float32Summary {
  readonly #stream: DeviceStream;
  readonly #run: Runner;
  readonly #record = emptySummaryRecord('f32');
  readonly #digests: DigestTable;
  readonly #sums: number[] = [];
  readonly #squares: number[] = [];
  #pageSum = 0;
  #pageSquares = 0;
  #largest = -1;
  #second = -1;
  #least = Infinity;
  #most = -Infinity;

  constructor(stream: DeviceStream, run: Runner) {
    const bytes = bytesOf('f32', stream.elements);
    this.#stream = stream;
    this.#run = run;
    this.#digests = new DigestTable(bytes);
    this.#record.octavesExact = bytes <= smallTensorBytes;
  }

  /** Takes the chunk that the stream holds. */
  add({ first, count }: Chunk): void {
    const { rows } = this.#stream;
    this.#stream.digest(this.#digests);
    if (rows > 0) this.#addRows(first, rows);
    const rest = rows * blockElements;
    if (rest < count) this.#addRest(first, rest, count - rest);
  }

  part(): SummaryPart {
    const isPageOpen = this.#record.elements % pageElements(dtypeBits.f32) !== 0;
    if (isPageOpen) this.#endPage();
    this.#record.digests = this.#digests.words();
    // No finite float32 has this exponent: the model counts blocks without looking.
    this.#record.octaves[255] = 0;
    return {
      record: this.#record,
      largest: this.#largest,
      second: this.#second,
      least: this.#least,
      most: this.#most,
      sums: this.#sums,
      squares: this.#squares,
      counted: null,
    };
  }

  #addRows(first: number, rows: number): void {
    const stride = this.#record.octavesExact ? 1 : octaveStride;
    const step = { words: Int32Array.of(stride), shape: [1] };
    const found = this.#run({ bits: this.#stream.matrix, stride: step });
    const fields = realsOf(found.rows);
    for (let row = 0; row < rows; row++) {
      const field = (i: number) => fields[i * rows + row] as number;
      const [zeros, small, largest] = [field(0), field(1), field(2)];
      const index = first + row * blockElements;
      if (!(largest < infinity) || small !== zeros) {
        this.#scan(index, row * blockElements, blockElements);
        continue;
      }
      this.#record.zeros += zeros;
      if (zeros === blockElements) this.#record.zeroBlocks += 1;
      if (field(3) < this.#least) this.#least = field(3);
      if (field(4) > this.#most) this.#most = field(4);
      if (magnitude(largest) > this.#second) this.#takeSizes(index, row * blockElements);
      this.#endRow(blockElements, field(5), field(6));
    }
    this.#addBits(found);
  }

  #addBits(found: Outputs): void {
    const { octaves } = this.#record;
    for (const [octave, count] of (found.octaves ?? []).entries()) {
      octaves[octave] = (octaves[octave] as number) + count;
    }
    addLanes(this.#record, found);
  }

  /** Elements that no model sees: at most one row. */
  #addRest(first: number, at: number, count: number): void {
    const record = this.#record;
    const isCounted = record.octavesExact || ((first + at) / blockElements) % octaveStride === 0;
    for (const [i, code] of this.#stream.words(at, count).entries()) {
      const size = code & sizeMask;
      const octave = size >>> 23;
      if (isCounted) record.octaves[octave] = (record.octaves[octave] as number) + 1;
      if (size > 0 && size < infinity) addToLane(record, first + at + i, code);
    }
    this.#scan(first + at, at, count);
  }

  /** Everything about a row but its lanes and octaves, element by element. */
  #scan(index: number, at: number, count: number): void {
    const record = this.#record;
    const values = this.#stream.values(at, count);
    const sums = new Float64Array(sumChains);
    const squares = new Float64Array(sumChains);
    let zeros = 0;
    for (let i = 0; i < count; i++) {
      const x = values[i] as number;
      if (!Number.isFinite(x)) {
        this.#takeNonFinite(x, index + i);
        continue;
      }
      if (x === 0) zeros += 1;
      else if (Math.abs(x) < magnitude(smallest)) record.denormals += 1;
      if (x < this.#least) this.#least = x;
      if (x > this.#most) this.#most = x;
      this.#takeSize(Math.abs(x), index + i);
      const chain = i % sumChains;
      sums[chain] = (sums[chain] as number) + x;
      squares[chain] = (squares[chain] as number) + x * x;
    }
    record.zeros += zeros;
    if (zeros === blockElements) record.zeroBlocks += 1;
    this.#endRow(count, combineChains(sums), combineChains(squares));
  }

  #takeNonFinite(x: number, index: number): void {
    const record = this.#record;
    if (Number.isNaN(x)) record.nan += 1;
    else if (x > 0) record.positiveInfinity += 1;
    else record.negativeInfinity += 1;
    if (record.firstNonFinite < 0) record.firstNonFinite = index;
  }

  /** Looks through a row of ordinary numbers whose largest changes the two largest so far. */
  #takeSizes(index: number, at: number): void {
    for (const [i, x] of this.#stream.values(at, blockElements).entries()) {
      this.#takeSize(Math.abs(x), index + i);
    }
  }

  #takeSize(size: number, index: number): void {
    if (size > this.#largest) {
      this.#second = this.#largest;
      this.#largest = size;
      this.#record.max1Index = index;
    } else if (size > this.#second) {
      this.#second = size;
    }
  }

  #endRow(count: number, sum: number, squares: number): void {
    this.#record.elements += count;
    this.#pageSum += sum;
    this.#pageSquares += squares;
    if (this.#record.elements % pageElements(dtypeBits.f32) === 0) this.#endPage();
  }

  #endPage(): void {
    this.#sums.push(this.#pageSum);
    this.#squares.push(this.#pageSquares);
    this.#pageSum = 0;
    this.#pageSquares = 0;
  }
}
