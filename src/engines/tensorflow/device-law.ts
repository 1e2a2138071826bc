/** One bound law on TensorFlow: rows that it proves healthy are counted, all others judged here. */
import type { BoundLaw, ElementLaw, Operand } from '../../laws/law.ts';
import { blockElements } from '../../records/grid.ts';
import { emptyLawRecord, type LawRecord } from '../../records/law-record.ts';
import { judgeElements } from '../judge.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Inputs, Runner } from './device.ts';
import { type DeviceStream, realsOf } from './device-stream.ts';
import type { LawFormula } from './law-formulas.ts';
import { ratioMargin } from './law-graph.ts';

export interface DeviceLawSetup {
  readonly law: ElementLaw;
  readonly bound: BoundLaw;
  readonly formula: LawFormula;
  /** By operand, every one that the sweep has and the law reads. */
  readonly streams: ReadonlyMap<Operand, DeviceStream>;
  readonly run: Runner;
}

export class DeviceLaw {
  readonly record: LawRecord;
  readonly #setup: DeviceLawSetup;
  readonly #constants: Int32Array;

  constructor(setup: DeviceLawSetup) {
    const { formula, bound } = setup;
    this.record = emptyLawRecord(setup.law.id);
    this.#setup = setup;
    const values = formula.constants.map((name) => bound.constants[name] ?? Number.NaN);
    this.#constants = new Int32Array(Float64Array.from(values).buffer);
  }

  /** Judges the chunk that the streams hold. */
  add({ first, count }: Chunk): void {
    const rows = Math.floor(count / blockElements);
    if (rows > 0) this.#addRows(first, rows);
    const rest = rows * blockElements;
    if (rest < count) this.#judge(first, rest, count - rest);
  }

  #addRows(first: number, rows: number): void {
    const { streams, formula, run } = this.#setup;
    const inputs: Record<string, Inputs[string]> = {
      constants: { words: this.#constants, shape: [formula.constants.length, 2] },
    };
    const odd = new Uint8Array(rows);
    for (const [operand, stream] of streams) {
      inputs[operand] = stream.matrix;
      for (const [row, isOdd] of stream.oddRows().entries())
        odd[row] = (odd[row] as number) | isOdd;
    }
    const found = realsOf(run(inputs).rows);
    // In order: of equal ratios the first element is the worst.
    for (let row = 0; row < rows; row++) {
      const isProven = found[row] === blockElements && odd[row] === 0;
      if (isProven && !this.#mayBeWorst(found[rows + row] as number)) {
        this.record.judged += blockElements;
      } else {
        this.#judge(first, row * blockElements, blockElements);
      }
    }
  }

  /** The first element judged is the worst so far, whatever its ratio. */
  #mayBeWorst(ratio: number): boolean {
    const { worst } = this.record;
    return worst === null || !(ratio <= worst.ratio * ratioMargin);
  }

  #judge(first: number, at: number, count: number): void {
    const { law, bound, streams } = this.#setup;
    const columns: Partial<Record<Operand, Float64Array>> = {};
    for (const [operand, stream] of streams) columns[operand] = stream.values(at, count);
    const block = { first: first + at, count, columns };
    judgeElements(law, bound, { block, record: this.record });
  }
}
