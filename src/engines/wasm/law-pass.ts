/** The laws of one sweep: kernels where a law has one, else the law itself. */
import type { BoundLaw, Operand } from '../../laws/law.ts';
import type { LawRecord } from '../../records/law-record.ts';
import type { Chunk } from '../sweep-reader.ts';
import type { Kernels } from './kernels.ts';
import { LawBlock } from './law-block.ts';
import { type Judge, judgeOf, operandsOf } from './law-judges.ts';
import { LawSpan } from './law-span.ts';
import { lawBlockElements } from './layout.ts';
import type { WasmStream } from './stream-summary.ts';
import type { Views } from './views.ts';

interface Slow {
  readonly judges: readonly Judge[];
  readonly operands: ReadonlySet<Operand>;
}

export class LawPass {
  readonly #judges: readonly Judge[];
  readonly #block: LawBlock;
  readonly #span: LawSpan;

  constructor(
    memory: { readonly kernels: Kernels; readonly views: Views },
    laws: readonly BoundLaw[],
    streams: ReadonlyMap<Operand, WasmStream>,
  ) {
    const used = new Set(laws.flatMap(operandsOf));
    const read = new Map([...streams].filter(([operand]) => used.has(operand)));
    this.#block = new LawBlock(memory, read);
    this.#span = new LawSpan(memory, read);
    const shared = { ...memory, block: this.#block, span: this.#span };
    this.#judges = laws.map((bound, slot) => judgeOf(shared, bound, slot));
  }

  /** Begins a chunk, of which these streams are known to be finite. */
  begin(finite: ReadonlySet<Operand>): void {
    this.#span.begin(finite);
  }

  /** Takes `count` elements from element `start` of a chunk, a block's start. */
  addSpan(chunk: Chunk, start: number, count: number): void {
    this.#span.load(chunk, start, count);
    const rest = this.#judges.filter((judge) => !judge.judgeSpan());
    if (rest.length > 0) this.#judgeBlocks(slowOf(rest), chunk, start, start + count);
  }

  /** Call after every chunk. */
  end(): void {
    for (const judge of this.#judges) judge.drain();
  }

  records(): LawRecord[] {
    return this.#judges.map(({ record }) => record);
  }

  #judgeBlocks({ judges, operands }: Slow, chunk: Chunk, start: number, end: number): void {
    for (let at = start; at < end; at += lawBlockElements) {
      this.#block.load(chunk, at, operands);
      for (const judge of judges) judge.judge();
    }
  }
}

function slowOf(judges: readonly Judge[]): Slow {
  return { judges, operands: new Set(judges.flatMap(({ operands }) => operands)) };
}
