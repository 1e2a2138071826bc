/** The WebAssembly kernels: what they export, and how they are loaded with their memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LaikaError } from '../../checkpoint/errors.ts';
import { packageRoot } from '../../package.ts';
import { memoryPages } from './layout.ts';

/** data, count, state, first element of the chunk. */
type Scan = (data: number, count: number, state: number, first: number) => void;
/** Only float32's kernel saves anything without octaves (a stride of 0) and lanes. */
type Summarise = (
  ...args: [
    data: number,
    count: number,
    state: number,
    first: number,
    octaveStride: number,
    hasLanes: number,
  ]
) => void;
type Squares = (
  ...args: [data: number, count: number, state: number, scale: number, centre: number]
) => void;
type Compare = (
  ...args: [left: number, right: number, count: number, zeroMask: number, record: number]
) => void;
type CompareRounded = (left: number, right: number, count: number, record: number) => void;
/** Returns 1 where every element is finite. */
type Widen = (data: number, count: number, column: number) => number;
/** count, constants, skip, ratios, limit, then the columns of the law's operands. */
type JudgeElements = (...args: number[]) => void;
/**
 * Whole fours of float32 words: count, constants, record, index of the first element, then words of
 * the law's operands.
 */
type JudgeFloat32 = (...args: number[]) => void;
/**
 * count, constants, skip (0: nothing), record, first element of the chunk, the subject's words, then
 * columns.
 */
type JudgeLines = (...args: number[]) => void;
/**
 * Takes Δ of one block of columns and returns ΣΔ²; `first` is the block's first element in the
 * chunk.
 */
type MoveBlock = (
  ...args: [before: number, after: number, count: number, state: number, first: number]
) => number;
/** Returns the rows that ended in the block; `left` elements are missing of the first. */
type SumRows = (state: number, count: number, left: number, rowElements: number) => number;
type GainBlock = (
  ...args: [before: number, after: number, count: number, state: number, inherited: number]
) => number;
type RatioBlock = (first: number, second: number, count: number, state: number) => number;
/**
 * Whole blocks of float32 words from element `first` of the chunk; `left` elements are missing of
 * the row at hand, of 0 none are summed. Returns the rows that ended.
 */
type MoveWords = (
  before: number,
  after: number,
  blocks: number,
  state: number,
  first: number,
  octaveStride: number,
  left: number,
  rowElements: number,
) => number;
/** Returns `sum` and, added in order, what the blocks give. */
type GainWords = (
  ...args: [
    before: number,
    after: number,
    blocks: number,
    state: number,
    inherited: number,
    sum: number,
  ]
) => number;
type RatioWords = (
  ...args: [first: number, second: number, blocks: number, state: number, sum: number]
) => number;

export interface Kernels {
  readonly digest: (data: number, bytes: number, out: number) => void;
  readonly summariseFloat32: Summarise;
  readonly summariseFloat64: Summarise;
  readonly summariseInt32: Summarise;
  readonly summariseUint32: Summarise;
  readonly summariseInt64: Summarise;
  readonly summariseUint64: Summarise;
  readonly summariseComplex32: Scan;
  readonly summariseComplex64: Scan;
  readonly summariseComplex128: Scan;
  readonly scanBfloat16: Scan;
  readonly scanFloat16: Scan;
  readonly scanInt16: Scan;
  readonly scanUint16: Scan;
  readonly countHalf: (data: number, count: number, counters: number) => void;
  readonly takeCounts: (counters: number, codes: number, counts: number) => number;
  readonly countBytes: (data: number, count: number, counters: number) => void;
  readonly addTables: (counters: number, totals: number) => void;
  readonly zeroBlocks: (data: number, count: number, mask: number) => number;
  readonly unpackNibbles: (data: number, count: number, out: number) => void;
  readonly squaresFloat32: Squares;
  readonly squaresFloat64: Squares;
  readonly squaresInt32: Squares;
  readonly squaresUint32: Squares;
  readonly squaresInt64: Squares;
  readonly squaresUint64: Squares;
  readonly compare8: Compare;
  readonly compare16: Compare;
  readonly compare32: Compare;
  readonly compare64: Compare;
  readonly compare128: Compare;
  readonly compareBfloat16: CompareRounded;
  readonly compareFloat16: CompareRounded;
  readonly widenFloat32: Widen;
  readonly widenFloat64: Widen;
  readonly widenBfloat16: Widen;
  readonly widenFloat16: Widen;
  readonly moveBlock: MoveBlock;
  readonly countDeltas: (state: number, count: number) => void;
  readonly sumRows: SumRows;
  readonly gainBlock: GainBlock;
  readonly ratioBlock: RatioBlock;
  readonly moveFloat32: MoveWords;
  readonly gainFloat32: GainWords;
  readonly ratioFloat32: RatioWords;
  readonly markNonFinite: (column: number, count: number, skip: number, isFirst: number) => void;
  /** Returns the element that became the worst so far, or −1. */
  readonly tally: (ratios: number, count: number, record: number) => number;
  readonly boundedUpdate: JudgeElements;
  readonly cappedUpdate: JudgeElements;
  readonly maximumDominates: JudgeElements;
  readonly momentBound: JudgeElements;
  readonly momentIncrement: JudgeElements;
  readonly replayMoments: JudgeElements;
  readonly replayWeights: JudgeElements;
  readonly secondMomentDecay: JudgeElements;
  readonly boundedUpdateFloat32: JudgeFloat32;
  readonly momentBoundFloat32: JudgeFloat32;
  readonly momentIncrementFloat32: JudgeFloat32;
  /** Whole lines of finite words; after the index come the subject's words at base and head. */
  readonly noBlankLinesFloat32: JudgeFloat32;
  readonly stateProgressFloat32: JudgeFloat32;
  readonly isFiniteFloat32: (words: number, count: number) => number;
  readonly noBlankLines: JudgeLines;
  readonly stateProgress: JudgeLines;
}

/** Compiled kernels: they cross threads, and no thread compiles them again. */
export type CompiledKernels = { readonly __compiledKernels: never };

/** The part of the global that is used: Node's types do not declare it. */
interface WebAssemblyApi {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  compile(bytes: Uint8Array): Promise<CompiledKernels>;
  instantiate(
    compiled: CompiledKernels,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ): Promise<{ readonly exports: unknown }>;
}

const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };

/** Where the built kernels lie, next to what they were built from. */
export const artefactPath = join(packageRoot, 'kernels', 'wasm', 'laika.wasm');

export interface LoadedKernels {
  readonly kernels: Kernels;
  readonly buffer: ArrayBuffer;
}

/**
 * Compiles the kernels.
 * @throws LaikaError `engine-unavailable` where the artefact is missing or this Node cannot run it.
 */
export async function compileKernels(): Promise<CompiledKernels> {
  try {
    return await WebAssembly.compile(readFileSync(artefactPath));
  } catch (cause) {
    throw new LaikaError(
      {
        code: 'engine-unavailable',
        what: 'The WebAssembly kernels cannot be loaded',
        where: artefactPath,
        next: 'reinstall the package, or use --engine reference',
      },
      { cause },
    );
  }
}

/** Gives compiled kernels a memory of their own. */
export async function loadKernels(compiled?: CompiledKernels): Promise<LoadedKernels> {
  const memory = new WebAssembly.Memory({ initial: memoryPages, maximum: memoryPages });
  const instance = await WebAssembly.instantiate(compiled ?? (await compileKernels()), {
    env: { memory },
  });
  return { kernels: instance.exports as Kernels, buffer: memory.buffer };
}
