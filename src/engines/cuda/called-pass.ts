/** A law of a sweep that has no kernel: judged here, by calling it. */
import type { BoundLaw, ElementLaw, LineLaw, Operand } from '../../laws/law.ts';
import { emptyLawRecord, type LawRecord } from '../../records/law-record.ts';
import { judgeElements, judgeLines, type LineBlock } from '../judge.ts';
import { lawValueAt } from '../reference/decode.ts';
import { type ChunkWork, type CudaPass, type CudaStreams, viewOf } from './work.ts';

/** Judges here, from the chunk that the GPU was sent. */
export class CalledPass implements CudaPass {
  readonly record: LawRecord;
  readonly #law: ElementLaw | LineLaw;
  readonly #bound: BoundLaw;
  readonly #streams: CudaStreams;

  constructor(law: ElementLaw | LineLaw, bound: BoundLaw, streams: CudaStreams) {
    this.record = emptyLawRecord(law.id);
    this.#law = law;
    this.#bound = bound;
    this.#streams = streams;
  }

  start(): void {}

  take(work: ChunkWork): void {
    const { record } = this;
    const law = this.#law;
    if (law.scope === 'element') {
      judgeElements(law, this.#bound, { block: this.#widen(work, law.operands), record });
      return;
    }
    const subject = law.subject(this.#bound.constants);
    const operands = [...law.operands, `${subject}A`, `${subject}B`] as const;
    judgeLines(law, this.#bound, { block: this.#widen(work, operands), record });
  }

  #widen(work: ChunkWork, operands: readonly Operand[]): LineBlock {
    const columns: Partial<Record<Operand, Float64Array>> = {};
    const words: Partial<Record<Operand, Uint32Array>> = {};
    const length = work.chunk.count;
    for (const operand of operands) {
      const stream = this.#streams.get(operand);
      if (!stream) continue;
      const view = viewOf(stream, work);
      columns[operand] = Float64Array.from({ length }, (_, i) => lawValueAt(stream.dtype, view, i));
      if (stream.dtype !== 'f32') continue;
      words[operand] = new Uint32Array(view.buffer, view.byteOffset, length);
    }
    return { ...work.chunk, columns, words };
  }
}
