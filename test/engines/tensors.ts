/** Tensors, streams and sweeps made in memory. */
import { type DType, dtypeBits } from '../../src/checkpoint/dtype.ts';
import { type Piece, type Placement, type Tensor, unowned } from '../../src/checkpoint/tensor.ts';
import type { Engine, EngineContext, Stream, Sweep } from '../../src/engines/engine.ts';
import type { Operand } from '../../src/laws/law.ts';
import type { SummaryRecord } from '../../src/records/summary.ts';
import type { Source, SourceFile } from '../../src/sources/source.ts';

/** Files of a checkpoint that is not on disk. */
export class MemorySource implements Source {
  readonly path = 'memory';
  readonly isFile = false;
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: Readonly<Record<string, Uint8Array>> = {}) {
    this.#files = new Map(Object.entries(files));
  }

  async list(): Promise<readonly SourceFile[]> {
    return [];
  }

  async stat(): Promise<SourceFile | null> {
    return null;
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    const bytes = this.#files.get(file);
    if (!bytes) throw new Error(`no file ${file}`);
    into.set(bytes.subarray(offset, offset + into.length));
  }

  localPath(): string | null {
    return null;
  }

  async close(): Promise<void> {}
}

/** A tensor of one dimension with the placement that is given. */
export function tensorOf(dtype: DType, elements: number, placement: Placement): Tensor {
  return {
    name: 'tensor',
    role: 'other',
    ...unowned,
    file: 'file',
    dtype,
    shape: [elements],
    elements,
    placement,
  };
}

/** A stream of the head whose bytes came with the metadata. */
export function inlineStream(dtype: DType, bytes: Uint8Array): Stream {
  const elements = (bytes.length * 8) / dtypeBits[dtype];
  return { tensor: tensorOf(dtype, elements, { kind: 'inline', bytes }), origin: 'head' };
}

/** A stream of the head that is packed in pieces of files. */
export function denseStream(dtype: DType, pieces: readonly Piece[]): Stream {
  const elements = pieces.reduce((sum, piece) => sum + piece.elements, 0);
  return { tensor: tensorOf(dtype, elements, { kind: 'dense', pieces }), origin: 'head' };
}

type Streams = Partial<Record<Operand, Stream>>;

/** A sweep that computes nothing but what `parts` asks for. */
export function sweepOf(streams: Streams, parts: Partial<Sweep> = {}): Sweep {
  const elements = Object.values(streams)[0]?.tensor.elements ?? 0;
  return { elements, streams, summaries: [], laws: [], copies: [], sha256: [], ...parts };
}

/** A context whose files, if any, are those of the head. */
export function contextOf(
  files: Readonly<Record<string, Uint8Array>> = {},
  parts: Partial<EngineContext> = {},
): EngineContext {
  return {
    sources: { head: new MemorySource(files), base: null },
    checksums: { head: [], base: [] },
    ...parts,
  };
}

/** The summary of one tensor whose bytes are given. */
export async function summarise(
  engine: Engine,
  dtype: DType,
  bytes: Uint8Array,
  parts: Partial<Sweep> = {},
): Promise<SummaryRecord> {
  const sweep = sweepOf({ sB: inlineStream(dtype, bytes) }, { summaries: ['sB'], ...parts });
  const { summaries } = await engine.run(sweep, contextOf());
  return summaries.sB as SummaryRecord;
}
